package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// initialize is the init of the machine that the daemon under torture runs on: all that lose their parent
// become its children, and it waits for all of them. It reads commands, a list of texts in JSON a line, and executes
// each. When its input ends it kills all that is left, and ends.
func initialize() int {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() { // to the end of the process
		for range children {
			for {
				if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid <= 0 {
					break
				}
			}
		}
	}()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var args []string
		err := json.Unmarshal(in.Bytes(), &args)
		if err == nil {
			_, err = syscall.ForkExec(args[0], args, &syscall.ProcAttr{
				Env: os.Environ(), Files: []uintptr{2, 2, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
			})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	for hasChildren() {
		for _, p := range Descendants(os.Getpid()) {
			if p.PID > 1 {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return 0
}

// hasChildren tells whether anything is left: what is no child is a child's, and becomes one.
func hasChildren() bool {
	return unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) != unix.ECHILD
}
