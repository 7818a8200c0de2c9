package ctl

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const originalPidproxy = "/usr/bin/pidproxy"

// target is a program that writes its pid into a file and the signals that it gets into another. TERM, INT
// and QUIT end it.
const target = `
for s in HUP USR1 USR2; do trap "echo $s >> got" $s; done
for s in TERM INT QUIT; do trap "echo $s >> got; exit 0" $s; done
echo $$ > pidfile
echo "$@" >> got
while :; do sleep 0.02; done
`

// Both pidproxies pass the signals on to whom the pidfile names, and say so if it names nobody. Exit
// statuses other than 0 are docs/differences.md's.
func TestPidproxy(t *testing.T) {
	for _, program := range []string{originalPidproxy, ourPidproxy} {
		for _, last := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
			t.Run(program+" "+last.String(), func(t *testing.T) {
				t.Parallel()
				if _, err := os.Stat(program); err != nil {
					t.Skip(err)
				}
				testPidproxy(t, program, last)
			})
		}
	}
}

func testPidproxy(t *testing.T, program string, last syscall.Signal) {
	dir := tempDir(t)
	(&daemon{dir: dir}).write(t, "target", target)
	out, err := os.Create(dir + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(program, dir+"/pidfile", "/bin/sh", "target", "with", "an", "argument of two words")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // fails if it has ended, as it should
	send := func(s syscall.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	// sees waits until the file ends in a line.
	sees := func(file, line string) {
		t.Helper()
		await(t, line, func() bool {
			data, _ := os.ReadFile(dir + "/" + file) // it may not be there yet
			return strings.HasSuffix("\n"+string(data), "\n"+line+"\n")
		})
	}
	sees("got", "with an argument of two words")
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2} {
		send(s)
		sees("got", unix.SignalName(s)[3:])
	}
	// Without a pid in the pidfile it says so, and stays.
	if err := os.Rename(dir+"/pidfile", dir+"/moved"); err != nil {
		t.Fatal(err)
	}
	send(last)
	complaint := "Can't read child pidfile " + dir + "/pidfile!"
	sees("out", complaint)
	(&daemon{dir: dir}).write(t, "pidfile", "no number\n")
	send(last)
	sees("out", complaint+"\n"+complaint)
	if err := os.Rename(dir+"/moved", dir+"/pidfile"); err != nil {
		t.Fatal(err)
	}
	send(last)
	sees("got", unix.SignalName(last)[3:])
	if err := cmd.Wait(); err != nil {
		t.Errorf("after %v: %v", last, err)
	}
}

func TestPidproxyWithoutACommand(t *testing.T) {
	for _, program := range []string{originalPidproxy, ourPidproxy} {
		if _, err := os.Stat(program); err != nil {
			continue
		}
		for _, args := range [][]string{nil, {"pidfile"}} {
			got := run(t, t.TempDir(), "", program, args...)
			want := "Usage: " + program + " <pidfile name> <command> [<cmdarg1> ...]\n"
			if got.exit != 1 || got.stderr != "" || !strings.Contains(got.stdout, want) {
				t.Errorf("%s %v: %+v", program, args, got)
			}
		}
	}
}
