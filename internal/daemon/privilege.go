package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"holdfast/internal/dlog"
	"holdfast/internal/rlimit"
)

// dropPrivileges becomes the user of [supervisord] user=, with all its groups.
//
// Differs: once, before there is a daemon; the original looks at user= again when it restarts.
func (d *Daemon) dropPrivileges() error {
	uid := d.cfg.Supervisord.UID
	if uid == nil {
		d.noteRoot()
		return nil
	}
	if *uid != os.Getuid() {
		if os.Getuid() != 0 {
			return errors.New(notRootText())
		}
		if err := become(*uid); err != nil {
			return fmt.Errorf("cannot become user %d of [supervisord] user=: %w", *uid, err)
		}
	}
	d.note(dlog.Info, fmt.Sprintf("Set uid to user %d succeeded", *uid))
	return nil
}

// noteRoot has it said that nobody decided to run as root.
func (d *Daemon) noteRoot() {
	if os.Getuid() == 0 && d.cfg.Supervisord.UID == nil {
		d.note(dlog.Crit, rootText)
	}
}

func become(uid int) error {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return err
	}
	groups := []int{gid}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil && n != gid {
			groups = append(groups, n)
		}
	}
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("cannot set groups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("cannot set group %d: %w", gid, err)
	}
	return syscall.Setuid(uid)
}

// raiseLimits sees to minfds and minprocs: for this process, and so for its children. This process itself may have as many
// files open as the hard limit says: Go has seen to that.
func (d *Daemon) raiseLimits() error {
	sv := &d.cfg.Supervisord
	if l, ok := rlimit.NoFile(); ok && l.Cur < uint64(sv.MinFDs) {
		want := rlimit.Limit{Cur: uint64(sv.MinFDs), Max: max(l.Max, uint64(sv.MinFDs))}
		if own := (unix.Rlimit{Cur: want.Max, Max: want.Max}); want.Max > l.Max && unix.Setrlimit(unix.RLIMIT_NOFILE, &own) != nil {
			return errors.New(minFDsText(sv.MinFDs, l.Max))
		}
		rlimit.SetNoFile(want)
		d.note(dlog.Info, fmt.Sprintf("Increased RLIMIT_NOFILE limit to %d", sv.MinFDs))
	}
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &l) == nil && l.Cur < uint64(sv.MinProcs) {
		want := unix.Rlimit{Cur: uint64(sv.MinProcs), Max: max(l.Max, uint64(sv.MinProcs))}
		if unix.Setrlimit(unix.RLIMIT_NPROC, &want) != nil {
			return errors.New(minProcsText(sv.MinProcs, l.Max))
		}
		d.note(dlog.Info, fmt.Sprintf("Increased RLIMIT_NPROC limit to %d", sv.MinProcs))
	}
	return nil
}
