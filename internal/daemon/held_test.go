package daemon

import (
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return p[0], p[1]
}

func TestHeldFilesAreFoundUnderAnotherNumber(t *testing.T) {
	r, w := pipe(t)
	stranger, strangerW := pipe(t)
	defer unix.Close(stranger)
	defer unix.Close(strangerW)
	var h heldFiles
	h.note("spawn", []int{w, r})
	// The output goes on with a copy, and its number becomes another's.
	moved, err := unix.FcntlInt(uintptr(r), unix.F_DUPFD_CLOEXEC, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(stranger, r, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(r)

	fds := h.copies()["spawn"]
	if len(fds) != 2 {
		t.Fatalf("got %v", fds)
	}
	unix.Close(w)
	unix.Close(moved)
	in, out := os.NewFile(uintptr(fds[0]), "in"), os.NewFile(uintptr(fds[1]), "out")
	defer out.Close()
	if _, err := in.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if got, err := io.ReadAll(out); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHeldFilesThatAreClosedKeepTheirPlace(t *testing.T) {
	r, w := pipe(t)
	open, openW := pipe(t)
	defer unix.Close(open)
	defer unix.Close(openW)
	var h heldFiles
	h.note("spawn", []int{w, r, open})
	unix.Close(w)
	unix.Close(r)

	fds := h.copies()["spawn"]
	if len(fds) != 3 {
		t.Fatalf("got %v", fds)
	}
	for _, fd := range fds {
		defer unix.Close(fd)
	}
	if _, err := unix.Write(fds[0], []byte("x")); err != unix.EPIPE {
		t.Errorf("stdin: %v", err)
	}
	if n, err := unix.Read(fds[1], make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("stdout: %d, %v", n, err)
	}
	if id, _ := identify(fds[2]); id != h.files["spawn"][2] {
		t.Errorf("stderr is %+v", id)
	}
}
