package daemon

import (
	"context"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"holdfast/internal/dlog"
)

// detach ends what binds the background process to the terminal: it has got this far, so nothing is
// left that could only be said there. Once; not in the foreground.
func (d *Daemon) detach() {
	sv := &d.cfg.Supervisord
	if d.ready == nil {
		if d.link != nil && !sv.NoDaemon { // one after the first: the rest was done
			_ = os.Chdir(sv.Directory)
			syscall.Umask(sv.Umask)
		}
		return
	}
	logger := d.log.Logger()
	logger.Info("daemonizing the supervisord process")
	if sv.Directory != "" {
		if err := os.Chdir(sv.Directory); err != nil {
			logger.Log(context.Background(), dlog.Crit, "can't chdir into '"+sv.Directory+"': "+err.Error())
		} else {
			logger.Info("set current directory: '" + sv.Directory + "'")
		}
	}
	if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		for fd := range 3 {
			unix.Dup3(int(null.Fd()), fd, 0)
		}
		null.Close()
	}
	syscall.Umask(sv.Umask)
}

// letGo tells the parent that this process is up, pidfile and all.
func (d *Daemon) letGo() {
	if d.ready == nil {
		return
	}
	d.ready.Write([]byte{1})
	d.ready.Close()
	d.ready = nil
}

// writePIDFile writes the pid of this daemon. That it can't be written stops nothing.
func (d *Daemon) writePIDFile() {
	path := d.cfg.Supervisord.PidFile
	pid := strconv.Itoa(d.pid())
	if err := os.WriteFile(path, []byte(pid+"\n"), 0o644); err != nil {
		d.log.Logger().Log(context.Background(), dlog.Crit, "could not write pidfile "+path+": "+err.Error())
		return
	}
	d.wrotePID = true
	d.log.Logger().Info("supervisord started with pid " + pid)
}

func (d *Daemon) removePIDFile() {
	if d.wrotePID {
		os.Remove(d.cfg.Supervisord.PidFile)
		d.wrotePID = false
	}
}
