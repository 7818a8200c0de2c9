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

// A socket is the same file with the same messages, bound to the same path.
func TestHeldSockets(t *testing.T) {
	path := t.TempDir() + "/s"
	receiver, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(sender)
	if err := unix.Bind(receiver, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Skip(err) // a path that is too long
	}
	if err := unix.Sendto(sender, []byte("READY=1"), 0, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	var h heldFiles
	h.note("notify 1", []int{receiver})
	fds := h.copies()["notify 1"]
	if len(fds) != 1 {
		t.Fatalf("got %v", fds)
	}
	defer unix.Close(fds[0])
	unix.Close(receiver)
	b := make([]byte, 10)
	n, err := unix.Read(fds[0], b)
	if string(b[:max(n, 0)]) != "READY=1" || err != nil {
		t.Errorf("got %q, %v", b[:max(n, 0)], err)
	}
	if at, err := unix.Getsockname(fds[0]); err != nil || at.(*unix.SockaddrUnix).Name != path {
		t.Errorf("it is bound to %v, %v", at, err)
	}
}
