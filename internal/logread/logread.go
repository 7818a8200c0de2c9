// Package logread reads slices of log files as the API's readLog and tailLog want them: by bytes,
// from the front or the back, and as text whatever the bytes are.
//
// For a file of 17 bytes:
//
//	Read(0, 0)    all of it          Tail(0, 17)   all, 17, false
//	Read(-4, 0)   the last 4         Tail(12, 3)   the last 3, 17, true
//	Read(4, 3)    bytes 4, 5 and 6   Tail(17, 10)  "", 17, false
package logread

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// ErrBadArguments is an offset and a length that mean nothing together.
var ErrBadArguments = errors.New("bad arguments")

// Read returns length bytes from offset on, to the end if length is 0. A negative offset, with
// length 0, counts from the end: the last -offset bytes, or all if there are less. An offset
// beyond the end is an empty slice.
func Read(path string, offset, length int64) (string, error) {
	f, size, err := open(path) // before the look at the arguments, as in the original
	if err != nil {
		return "", err
	}
	defer f.Close()
	if length < 0 || offset < 0 && length != 0 {
		return "", ErrBadArguments
	}
	if offset < 0 {
		offset = max(size+offset, 0)
	}
	if length == 0 {
		length = max(size-offset, 0)
	}
	return slice(f, size, offset, length)
}

// Tail is for a client that follows a log by asking again with the size that it was told. It
// returns length bytes from offset on, the log's size, and whether the log has grown beyond them:
// then it returns its last length bytes instead.
func Tail(path string, offset, length int64) (text string, size int64, overflow bool, err error) {
	f, size, err := open(path)
	if err != nil {
		return "", 0, false, err
	}
	defer f.Close()
	// The steps, with all that they do to odd arguments, are the original's. The bounds keep the
	// sums from going round and change nothing else.
	const huge = 1 << 60
	offset, length = min(max(offset, -huge), huge), min(max(length, -huge), huge)
	if size > offset+length {
		overflow = true
		offset = size - 1
	}
	if offset+length > size {
		if offset > size-1 {
			length = 0
		}
		offset = size - length
	}
	text, err = slice(f, size, max(offset, 0), max(length, 0))
	return text, size, overflow, err
}

// open opens what has a beginning and an end: a log may be a pipe or a terminal, which nobody can read
// twice, or /dev/null, which is empty.
func open(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot open log: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if info, e := f.Stat(); err == nil && (e != nil || info.IsDir()) {
		err = fmt.Errorf("%q is a directory", path)
	}
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("cannot read log: %w", err)
	}
	return f, size, nil
}

func slice(f *os.File, size, offset, length int64) (string, error) {
	// Not more memory than there are bytes, whatever length says.
	b := make([]byte, max(min(length, size-offset), 0))
	n, err := f.ReadAt(b, offset)
	if err != nil && err != io.EOF { // EOF: it was truncated meanwhile
		return "", fmt.Errorf("cannot read log: %w", err)
	}
	// Differs: where the slice isn't UTF-8, if only because it cuts a character, the original
	// fails (HTTP 500).
	return strings.ToValidUTF8(string(b[:n]), "\uFFFD"), nil
}
