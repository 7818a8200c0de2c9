package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ownPath is where the program that runs is looked for later, when perhaps another one lies there: the path by
// which it was started, which may lead over a symbolic link, or else the one where it lies.
func ownPath(argv0 string) string {
	const self = "/proc/self/exe"
	if path, err := filepath.Abs(argv0); err == nil && sameFile(path, self) {
		return path
	}
	path, _ := os.Readlink(self)
	return strings.TrimSuffix(path, " (deleted)")
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// trusted resolves the path of a program that a client of the API wants to be executed as this user, uid. Who
// may stop programs must not, by that, be allowed to have anything executed: nobody but this user and root can
// have put that program there.
func trusted(path string, uid int) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%s is no absolute path", path)
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("cannot execute %s: %w", path, leaf(err))
	}
	for p := resolved; ; p = filepath.Dir(p) {
		info, err := os.Lstat(p)
		if err != nil {
			return "", fmt.Errorf("cannot execute %s: %w", path, leaf(err))
		}
		if p == resolved && !info.Mode().IsRegular() {
			return "", fmt.Errorf("cannot execute %s: it is no file", path)
		}
		if why := strangers(info, uid); why != "" {
			return "", fmt.Errorf("%s %s: somebody else could have put %s there (chown or chmod it, or install the program where "+
				"the present one is, and upgrade without a path)", p, why, path)
		}
		if p == "/" {
			return resolved, nil
		}
	}
}

// leaf is an error without the path that it names.
func leaf(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

// strangers says by what others than root and uid can change a file, or what is in a directory. In one with the
// sticky bit they can't touch what is not theirs.
func strangers(info os.FileInfo, uid int) string {
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	switch mode := info.Mode(); {
	case owner != 0 && owner != uid:
		return fmt.Sprintf("belongs to user %d", owner)
	case mode.Perm()&0o022 != 0 && !(mode.IsDir() && mode&os.ModeSticky != 0):
		return fmt.Sprintf("has mode %04o", mode.Perm())
	}
	return ""
}
