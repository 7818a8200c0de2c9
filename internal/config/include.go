package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/internal/dlog"
	"holdfast/internal/ini"
)

// maxFileSize keeps a wrong name such as /dev/zero from filling the memory.
const maxFileSize = 64 << 20

// readFiles reads the file at path and what its [include] names, and answers whether the text of
// all of them could be read.
func (r *reader) readFiles(path string) bool {
	data, err := readRoot(r.host, path)
	if err != nil {
		r.errs = append(r.errs, *err)
		return false
	}
	if !r.parse(path, data) {
		return false
	}
	sec := r.file.Section("include")
	if sec == nil {
		return true
	}
	s := r.section(sec)
	s.vars["host_node_name"] = r.hostName
	if !s.has("files") {
		s.fail("files", "", ".ini file has [include] section, but no files setting", "add a line files=, or remove the section")
		return false
	}
	text, ok := s.text("files", "", true, "", false)
	if !ok {
		return false
	}
	base := filepath.Dir(r.host.rooted(path))
	for _, pattern := range strings.Fields(text) {
		if !strings.HasPrefix(pattern, "/") {
			pattern = strings.TrimSuffix(base, "/") + "/" + pattern
		}
		names := glob(pattern)
		if len(names) == 0 {
			r.note(dlog.Warn, "No file matches via include \"%s\"", pattern)
		}
		slices.Sort(names)
		for _, name := range names {
			r.note(dlog.Info, "Included extra file \"%s\" during parsing", name)
			data, err := readFile(name)
			if err != nil {
				// Differs: the original says nothing of an included file that it can't read.
				r.note(dlog.Warn, "Included file \"%s\" could not be read and was skipped: %s", name, reason(err))
				continue
			}
			ok = r.parse(name, data) && ok
		}
	}
	return ok
}

// parse takes the text of a file, and answers whether it is well formed.
func (r *reader) parse(name string, data []byte) bool {
	err := r.file.Parse(name, data)
	if err != nil {
		r.errs = append(r.errs, syntaxError(name, err))
	}
	return err == nil
}

func syntaxError(name string, err error) Error {
	e := Error{File: name, Line: 1, Message: err.Error(),
		Cure: "a line is [section], option=value, a comment, or deeper than the option whose value it continues"}
	var bad *ini.Error
	if errors.As(err, &bad) {
		e.Line = bad.Line
	}
	return e
}

// readRoot reads the file that was asked for.
func readRoot(h *host, path string) ([]byte, *Error) {
	data, err := readFile(h.rooted(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Error{File: path, Message: "could not find config file " + path, Cure: "name the file with -c"}
	case err != nil:
		return nil, &Error{File: path, Message: "could not read config file " + path, Cure: reason(err)}
	}
	return data, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		err = errors.New("it is larger than 64 MiB")
	}
	return data, err
}

// reason is the last part of an error of the file system, which repeats the name otherwise.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}
