package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

const backlogCure = "use a number from 1 to 65535"

// An fcgiProgram is what [fcgi-program:x] says of its socket.
type fcgiProgram struct {
	FastCGI
	user    *int
	backlog *int
	owner   *owner
	mode    *int
}

var fcgiOptions = []option[fcgiProgram]{
	noPreset("user", optional(account), func(f *fcgiProgram) **int { return &f.user }),
	noPreset("socket_backlog", optional(integer), func(f *fcgiProgram) **int { return &f.backlog }).cured(backlogCure),
	noPreset("socket_owner", optional(worded(ownership, "Invalid socket_owner value %s")), func(f *fcgiProgram) **owner { return &f.owner }),
	noPreset("socket_mode", optional(worded(octal, "Invalid socket_mode value %s")), func(f *fcgiProgram) **int { return &f.mode }),
}

// readFastCGI reads what [fcgi-program:x] says of its socket; nil if something is wrong.
func readFastCGI(s *section, program string) *FastCGI {
	before := len(*s.errs)
	var f fcgiProgram
	read(s, fcgiOptions, &f)
	if f.backlog != nil && (*f.backlog < 1 || *f.backlog > 65535) {
		s.fail("socket_backlog", fmt.Sprint(*f.backlog), fmt.Sprintf("Invalid socket_backlog value %d", *f.backlog), backlogCure)
	}
	s.vars["program_name"] = program
	if socket, ok := s.text("socket", "", false, "", false); ok && socket == "" {
		s.fail("socket", "", "["+s.Name+`] section requires a "socket" line`, "add a line socket=, such as socket=unix:///run/web.sock")
	} else if ok {
		s.readSocket(socket, &f)
	}
	if len(*s.errs) > before {
		return nil
	}
	return f.finish()
}

// readSocket reads the value of socket=.
//
// Differs: the original shows some of these sentences as a Python tuple, with the value behind.
func (s *section) readSocket(text string, f *fcgiProgram) {
	socket, err := parseSocket(s.host, text)
	cure := "use tcp://HOST:PORT or unix:///PATH"
	if !strings.HasPrefix(text, "unix://") && (f.owner != nil || f.mode != nil) {
		err = errors.New("socket_owner and socket_mode params should only be used with a Unix domain socket")
		cure = "remove socket_owner and socket_mode, or use unix:///PATH"
	}
	if err != nil {
		s.fail("socket", text, err.Error()+" in ["+s.Name+"] socket", cure)
		return
	}
	f.Socket = socket
}

// finish fills in what follows from the other options: a unix socket belongs to the program's user
// unless an owner is named.
func (f *fcgiProgram) finish() *FastCGI {
	f.UID, f.GID, f.Mode = -1, -1, -1
	if f.backlog != nil {
		f.Backlog = *f.backlog
	}
	if !strings.HasPrefix(f.Socket, "unix://") {
		return &f.FastCGI
	}
	f.Mode = 0o700
	if f.mode != nil {
		f.Mode = *f.mode
	}
	switch {
	case f.owner != nil:
		f.UID, f.GID = f.owner.uid, f.owner.gid
	case f.user != nil && *f.user != os.Getuid():
		if gid, err := primaryGroup(*f.user); err == nil { // the user was found before
			f.UID, f.GID = *f.user, gid
		}
	}
	return &f.FastCGI
}
