package rlimit_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/rlimit"
)

func TestMain(m *testing.M) {
	if os.Getenv("RLIMIT_TEST_PRINT") != "" {
		var now syscall.Rlimit
		syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now)
		l, ok := rlimit.NoFile()
		fmt.Println(l.Cur, l.Max, ok, now.Cur > l.Cur)
		return
	}
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // for the children: with -race each would sleep for a second at its end
	os.Exit(m.Run())
}

func TestNoFileIsTheLimitBeforeGoRaisedIt(t *testing.T) {
	// Setrlimit makes syscall forget the value that it would give back to children of its own.
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if before.Max <= 512 {
		t.Skipf("the hard limit is %d", before.Max)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 512, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "RLIMIT_TEST_PRINT=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	// The last word tells that Go did raise it, so that the test proves something.
	want := fmt.Sprintf("512 %d true true", before.Max)
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
