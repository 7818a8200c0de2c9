package launch

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/process"
)

// The children of these tests are the test binary under names that say what they do:
// "child:wait" and so on.
func TestMain(m *testing.M) {
	if what, ok := strings.CutPrefix(os.Args[0], "child:"); ok {
		beChild(what, os.Args[1:])
		return
	}
	if os.Getenv("LAUNCH_TEST") == "exec" {
		execSelf()
	}
	flag.Parse()
	if testing.CoverMode() == "atomic" {
		// With -race such a counter is a call into the race detector, which runChild must not make.
		fmt.Println("not run: the code between fork and exec can't be measured with -race or -covermode=atomic")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// endsAtOnce is for the environment of these children: a program built with -race sleeps for a second at its end otherwise.
const endsAtOnce = "GORACE=atexit_sleep_ms=0"

func beChild(what string, args []string) {
	switch what {
	case "exit":
		code, _ := strconv.Atoi(args[0])
		os.Exit(code)
	case "wait": // until a signal ends it
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "report": // what it was given
		wd, _ := os.Getwd()
		umask := syscall.Umask(0)
		groups, _ := os.Getgroups()
		fmt.Printf("args %q\nenv %q\ncwd %s\numask %03o\nleader %v\nuid %d gid %d groups %v\n",
			os.Args, os.Environ(), wd, umask, syscall.Getpgrp() == os.Getpid(), os.Getuid(), os.Getgid(), groups)
	case "leave-member": // a group member of the kind named, which outlives this process
		pid := mustFork(args[0], &syscall.SysProcAttr{})
		fmt.Println("member", pid)
	case "hold-child": // a child of its own, and say when it was waited for
		pid := mustFork("exec-wait", &syscall.SysProcAttr{Setpgid: true})
		fmt.Println("child", pid)
		var ws syscall.WaitStatus
		syscall.Wait4(pid, &ws, 0, nil)
		fmt.Println("reaped")
		time.Sleep(time.Hour)
	case "tie": // a child that is tied to this one, and one that is not
		for _, tied := range []bool{true, false} {
			p, err := Start(Spec{Path: "/proc/self/exe", Args: []string{"child:exec-wait"}, Tied: tied, Files: [3]int{0, 1, 2},
				Exited: func(process.ExitStatus, bool) {}})
			if err != nil {
				panic(err)
			}
			fmt.Println("child", p.PID())
		}
		io.ReadAll(os.Stdin)
		syscall.Exec("/proc/self/exe", []string{"child:exec-wait"}, nil)
	case "exec-wait": // silently
		time.Sleep(time.Hour)
	case "leave-held-zombie": // a zombie in this group whose parent, outside, never waits for it
		mustFork("hold-zombie", &syscall.SysProcAttr{Setpgid: true}, strconv.Itoa(os.Getpid()))
		io.ReadAll(os.Stdin)
	case "hold-zombie":
		pgid, _ := strconv.Atoi(args[0])
		pid := mustFork("exit", &syscall.SysProcAttr{Setpgid: true, Pgid: pgid}, "0")
		unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		fmt.Println("holder", os.Getpid())
		time.Sleep(time.Hour)
	default:
		panic("no child called " + what)
	}
}

func mustFork(what string, attr *syscall.SysProcAttr, args ...string) int {
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{"child:" + what}, args...),
		&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: attr})
	if err != nil {
		panic(err)
	}
	return pid
}
