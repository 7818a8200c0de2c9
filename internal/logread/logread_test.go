package logread

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unicode/utf8"
)

const text = "0123456789abcdefg" // 17 bytes, as in the spec's examples

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		rule           string
		content        string
		offset, length int64
		want           string
		bad            bool
	}{
		{"length 0 reads to the end", text, 0, 0, text, false},
		{"length 0 reads from the offset to the end", text, 10, 0, "abcdefg", false},
		{"a length reads so many bytes", text, 4, 3, "456", false},
		{"a length beyond the end reads to the end", text, 15, 100, "fg", false},
		{"a huge length needs no memory", text, 15, 1 << 62, "fg", false},
		{"a negative offset reads the last bytes", text, -4, 0, "defg", false},
		{"a negative offset larger than the file reads all", text, -400, 0, text, false},
		{"a negative offset with a length is refused", text, -4, 2, "", true},
		{"a negative offset with a negative length is refused", text, -4, -2, "", true},
		{"a negative length is refused", text, 0, -1, "", true},
		{"an offset at the end is empty", text, 17, 0, "", false},
		{"an offset beyond the end is empty", text, 100, 0, "", false},
		{"an offset beyond the end with a length is empty", text, 100, 5, "", false},
		{"an empty file is empty", "", 0, 0, "", false},
		{"an empty file from the back is empty", "", -5, 0, "", false},
		{"a character that the slice cuts is replaced", "aé", 0, 2, "a\uFFFD", false},
		{"the rest of a cut character is replaced", "éb", -2, 0, "\uFFFDb", false},
		{"bytes that are no text are replaced", "a\xff\xfeb\xffc", 0, 0, "a\uFFFDb\uFFFDc", false},
		{"control characters stay", "\x1b[31m\x00\r\n", 0, 0, "\x1b[31m\x00\r\n", false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := Read(write(t, tt.content), tt.offset, tt.length)
			if errors.Is(err, ErrBadArguments) != tt.bad || (err != nil) != tt.bad {
				t.Fatalf("error %v, want refusal %v", err, tt.bad)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTail(t *testing.T) {
	for _, tt := range []struct {
		rule           string
		content        string
		offset, length int64
		want           string
		overflow       bool
	}{
		{"all of it", text, 0, 17, text, false},
		{"more than there is", text, 0, 100, text, false},
		{"nothing new", text, 17, 10, "", false},
		{"the last byte", text, 16, 1, "g", false},
		{"the log has grown beyond one byte", text, 15, 1, "g", true},
		{"no length", text, 0, 0, "", true},
		{"an offset beyond the end, as after a rotation", text, 100, 10, "", false},
		{"the log has grown beyond what is asked", text, 12, 3, "efg", true},
		{"a length of the whole file in a file grown", text, 0, 16, text[1:], true},
		{"a negative offset", text, -5, 3, "efg", true},
		{"a negative length", text, 0, -5, "", true},
		{"an empty file", "", 0, 100, "", false},
		{"huge arguments", text, 1 << 62, 1 << 62, "", false},
		{"hugely negative arguments", text, -1 << 63, -1 << 63, "", true},
		{"bytes that are no text are replaced", "a\xff", 0, 2, "a\uFFFD", false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			got, size, overflow, err := Tail(write(t, tt.content), tt.offset, tt.length)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want || size != int64(len(tt.content)) || overflow != tt.overflow {
				t.Errorf("got %q, %d, %v, want %q, %d, %v", got, size, overflow, tt.want, len(tt.content), tt.overflow)
			}
		})
	}
}

func TestNoLog(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule, path string
		missing    bool
	}{
		{"a missing file is known as such", filepath.Join(dir, "none"), true},
		{"a directory is no log", dir, false},
		{"a pipe is no log and does not block", fifo, false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			_, readErr := Read(tt.path, 0, 0)
			_, _, _, tailErr := Tail(tt.path, 0, 10)
			for _, err := range []error{readErr, tailErr} {
				if err == nil || errors.Is(err, fs.ErrNotExist) != tt.missing {
					t.Errorf("got error %v, want missing %v", err, tt.missing)
				}
			}
		})
	}
}

func TestDevNullIsEmpty(t *testing.T) {
	if got, err := Read(os.DevNull, 0, 0); got != "" || err != nil {
		t.Errorf("Read gives %q, %v", got, err)
	}
	if got, size, overflow, err := Tail(os.DevNull, 0, 10); got != "" || size != 0 || overflow || err != nil {
		t.Errorf("Tail gives %q, %d, %v, %v", got, size, overflow, err)
	}
}

func FuzzSlices(f *testing.F) {
	f.Add([]byte(text), int64(12), int64(3))
	f.Add([]byte("\xff"), int64(-1), int64(0))
	f.Fuzz(func(t *testing.T, content []byte, offset, length int64) {
		path := write(t, string(content))
		got, err := Read(path, offset, length)
		if err != nil && !errors.Is(err, ErrBadArguments) {
			t.Fatal(err)
		}
		tail, size, _, err := Tail(path, offset, length)
		if err != nil || size != int64(len(content)) {
			t.Fatalf("size %d, error %v", size, err)
		}
		if !utf8.ValidString(got) || !utf8.ValidString(tail) {
			t.Errorf("not text: %q, %q", got, tail)
		}
	})
}
