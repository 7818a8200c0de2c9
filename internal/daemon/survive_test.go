package daemon

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/survive"
)

// A start is refused at once beside one that lives, and waits for one whose guard is dead.
func TestLockWaitsForAnOrphan(t *testing.T) {
	const nobody = 1 << 30 // no kernel gives such a pid away
	for _, holder := range []int{1, nobody} {
		d := &Daemon{cfg: &config.Config{Supervisord: config.Supervisord{PidFile: filepath.Join(t.TempDir(), "x.pid")}}}
		other, err := survive.Open(survive.PathFor(d.cfg.Supervisord.PidFile), survive.Header{PID: holder, Since: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		leaves := time.AfterFunc(50*time.Millisecond, func() { other.Close() })
		s, err := d.lockState()
		var held *survive.HeldError
		switch {
		case holder != nobody && (!errors.As(err, &held) || held.Header.PID != holder):
			t.Errorf("beside pid %d: %v", holder, err)
		case holder == nobody && err != nil:
			t.Errorf("after an orphan: %v", err)
		}
		if err == nil {
			s.Close()
		}
		if leaves.Stop() {
			other.Close()
		}
	}
}
