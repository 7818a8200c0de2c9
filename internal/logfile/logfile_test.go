package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func open(t *testing.T, path string, maxBytes int64, backups int) *File {
	t.Helper()
	f, err := Open(path, 0o644, maxBytes, backups)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t *testing.T, f *File, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if n, err := f.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", text, n, err)
		}
	}
}

// contents returns what the files in dir hold, by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		if e.Type()&fs.ModeNamedPipe != 0 {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil && !e.IsDir() {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func TestRotation(t *testing.T) {
	for _, c := range []struct {
		name     string
		maxBytes int64
		backups  int
		before   map[string]string
		writes   []string
		want     map[string]string
	}{
		{"below maxbytes nothing happens", 10, 2, nil, []string{"123456789"}, map[string]string{"log": "123456789"}},
		{"at maxbytes it rotates, after the write", 10, 2, nil, []string{"12345", "67890"},
			map[string]string{"log": "", "log.1": "1234567890"}},
		{"a write is never split", 4, 2, nil, []string{"123", "4567890", "x"}, map[string]string{"log": "x", "log.1": "1234567890"}},
		{"backups move on and the last falls off", 1, 3, nil, []string{"a", "b", "c", "d", "e"},
			map[string]string{"log": "", "log.1": "e", "log.2": "d", "log.3": "c"}},
		{"backups beyond the number stay", 1, 1, map[string]string{"log.1": "old", "log.2": "older"}, []string{"a"},
			map[string]string{"log": "", "log.1": "a", "log.2": "older"}},
		{"a missing backup is passed over", 1, 4, map[string]string{"log.2": "two"}, []string{"a"},
			map[string]string{"log": "", "log.1": "a", "log.3": "two"}},
		{"without backups it is emptied", 4, 0, nil, []string{"1234", "5"}, map[string]string{"log": "5"}},
		{"maxbytes 0 never rotates", 0, 2, nil, []string{"1234", "5678"}, map[string]string{"log": "12345678"}},
		{"what is there counts", 10, 1, map[string]string{"log": "123456789"}, []string{"0"},
			map[string]string{"log": "", "log.1": "1234567890"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.before {
				os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
			}
			f := open(t, filepath.Join(dir, "log"), c.maxBytes, c.backups)
			write(t, f, c.writes...)
			if d := cmp.Diff(c.want, contents(t, dir)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestARotationThatFailsLosesNothing(t *testing.T) {
	dir := t.TempDir()
	os.MkdirAll(filepath.Join(dir, "log.2", "full"), 0o755) // no file can take this name
	f := open(t, filepath.Join(dir, "log"), 4, 2)
	var failed []int
	for i := range 12 {
		n, err := f.Write([]byte{byte('a' + i)})
		if n != 1 {
			t.Fatalf("write %d: %d, %v", i, n, err)
		}
		if err != nil {
			failed = append(failed, i)
		}
	}
	// The first found no log.1 to move on, and the next ones are tried after 4 bytes each.
	if d := cmp.Diff([]int{7, 11}, failed); d != "" {
		t.Errorf("failed rotations: %s", d)
	}
	got := contents(t, dir)
	if got["log.1"]+got["log"] != "abcdefghijkl" {
		t.Errorf("got %q", got)
	}
}

func TestOpenSaysWhyNot(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
	os.Mkdir(filepath.Join(dir, "locked"), 0)
	rows := []struct{ name, path, want string }{
		{"missing directory", "missing/log", "ENOENT"},
		{"a directory", "", "EISDIR"},
		{"a file where a directory should be", "file/log", "ENOTDIR"},
		{"a name too long", strings.Repeat("x", 300), "ENAMETOOLONG"},
	}
	if os.Getuid() != 0 {
		rows = append(rows, struct{ name, path, want string }{"no permission", "locked/log", "EACCES"})
	}
	for _, c := range rows {
		_, err := Open(filepath.Join(dir, c.path), 0o644, 0, 0)
		if got := ErrnoName(err); got != c.want {
			t.Errorf("%s: got %q of %v, want %s", c.name, got, err, c.want)
		}
	}
	if got := ErrnoName(errors.New("no errno")); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestOthersMayTouchTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	f := open(t, path, 100, 1)
	write(t, f, "one")
	os.Truncate(path, 0)
	write(t, f, "two")
	if d := cmp.Diff(map[string]string{"log": "two"}, contents(t, dir)); d != "" {
		t.Errorf("after copytruncate: %s", d)
	}
	other, _ := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	other.WriteString("other")
	other.Close()
	write(t, f, "three")
	if d := cmp.Diff(map[string]string{"log": "twootherthree"}, contents(t, dir)); d != "" {
		t.Errorf("after an append: %s", d)
	}
	if f.Moved() {
		t.Error("Moved without reason")
	}
	os.Rename(path, path+".old")
	if !f.Moved() {
		t.Error("not Moved after a rename")
	}
	write(t, f, "!")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(t, f, "new")
	if d := cmp.Diff(map[string]string{"log.old": "twootherthree!", "log": "new"}, contents(t, dir)); d != "" {
		t.Errorf("after Reopen: %s", d)
	}
	if err := f.Clear(); err != nil {
		t.Fatal(err)
	}
	write(t, f, "cleared")
	if d := cmp.Diff(map[string]string{"log.old": "twootherthree!", "log": "cleared"}, contents(t, dir)); d != "" {
		t.Errorf("after Clear: %s", d)
	}
}

func TestADirectoryInThePlaceOfALogStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	f := open(t, path, 0, 0)
	os.Rename(path, path+".old")
	os.Mkdir(path, 0o755)
	if err := f.Clear(); err == nil {
		t.Error("Clear: no error")
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		t.Errorf("the directory: %v", err)
	}
	write(t, f, "still there")
	if d := cmp.Diff("still there", contents(t, dir)["log.old"]); d != "" {
		t.Error(d)
	}
}

func TestAReopenThatFailsKeepsTheFile(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	os.Mkdir(sub, 0o755)
	f := open(t, filepath.Join(sub, "log"), 0, 0)
	os.Rename(sub, sub+"2")
	if err := f.Reopen(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Reopen: %v", err)
	}
	write(t, f, "still there")
	if d := cmp.Diff(map[string]string{"log": "still there"}, contents(t, sub+"2")); d != "" {
		t.Error(d)
	}
}

func TestWhatIsNoFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := FromFile(out)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	for _, c := range []struct {
		name string
		f    *File
	}{
		{"a device", open(t, "/dev/null", 1, 1)},
		{"a fifo that nobody reads", open(t, fifo, 1, 1)},
		{"a descriptor that leads to a file", open(t, fmt.Sprintf("/proc/self/fd/%d", out.Fd()), 1, 1)},
		{"a given descriptor", own},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, c.f, "one\n", "two\n")
			for what, do := range map[string]func() error{
				"Rotate": c.f.Rotate, "Clear": c.f.Clear, "Remove": c.f.Remove, "Reopen": c.f.Reopen,
			} {
				if err := do(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			write(t, c.f, "three\n")
		})
	}
	if d := cmp.Diff(map[string]string{"out": "one\ntwo\nthree\none\ntwo\nthree\n"}, contents(t, dir)); d != "" {
		t.Error(d)
	}
	if !own.Same(open(t, filepath.Join(dir, "out"), 0, 0)) || own.Same(open(t, "/dev/null", 0, 0)) {
		t.Error("Same is wrong")
	}
}

func TestAGivenDescriptorMovesAlong(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	f, err := FromFile(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write(t, f, "ours\n")
	out.WriteString("the shell's\n")
	b, _ := os.ReadFile(out.Name())
	if string(b) != "ours\nthe shell's\n" {
		t.Errorf("got %q", b)
	}
}

func TestAPipeThatTakesNothingIsNotWaitedFor(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	given, err := FromFile(w)
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	raw, _ := w.SyscallConn()
	var path string
	raw.Control(func(fd uintptr) {
		unix.SetNonblock(int(fd), false) // as a shell gives it
		path = fmt.Sprintf("/proc/self/fd/%d", fd)
	})
	for _, f := range []*File{given, open(t, path, 0, 0)} {
		var n int
		err := error(nil)
		for err == nil && n < 1<<20 {
			var m int
			m, err = f.Write(make([]byte, 10000))
			n += m
		}
		if !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("%s took %d bytes, then: %v", f.Path(), n, err)
		}
	}
	r.Close()
	for _, f := range []*File{given, open(t, path, 0, 0)} {
		if _, err := f.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("without a reader: %v", err)
		}
	}
}

func TestAFullDeviceIsAnError(t *testing.T) {
	f := open(t, "/dev/full", 10, 10)
	if n, err := f.Write([]byte("x")); n != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestClosed(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "log"), 0, 0)
	f.Close()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("a closed file takes a write")
	}
	if _, _, err := f.End(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
