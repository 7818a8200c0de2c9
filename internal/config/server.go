package config

import "strings"

// loginOptions are common to both kinds of servers. They are nil if they are not given, which is
// another thing than empty.
func loginOptions() []option[server] {
	return []option[server]{
		noPreset("username", optional(str), func(s *server) **string { return &s.username }),
		noPreset("password", optional(str), func(s *server) **string { return &s.password }),
	}
}

var inetOptions = append(loginOptions(),
	noPreset("port", address, func(s *server) *string { return &s.Address }),
)

var unixOptions = append(loginOptions(),
	noPreset("file", fullPath, func(s *server) *string { return &s.Address }),
	opt("chmod", "0700", worded(octal, "Invalid chmod value %s"), func(s *server) *int { return &s.Chmod }),
	noPreset("chown", worded(ownership, "Invalid sockchown value %s"), func(s *server) *owner { return &s.owner }),
)

// A server is what a section of a server is read into.
type server struct {
	Server
	username, password *string
	owner              owner
}

// readServers reads the sections of the servers: any whose name begins with the kind's.
func (r *reader) readServers() {
	for _, kind := range []struct {
		prefix, network, place, missing string
		table                           []option[server]
	}{
		{"inet_http_server", "tcp", "port", "has no port value", inetOptions},
		{"unix_http_server", "unix", "file", "has no file value", unixOptions},
	} {
		for _, sec := range r.file.Sections {
			if !strings.HasPrefix(sec.Name, kind.prefix) {
				continue
			}
			s := r.section(sec)
			v := server{Server: Server{Section: sec.Name, Network: kind.network}, owner: owner{-1, -1}}
			read(s, kind.table, &v)
			if !s.has(kind.place) {
				s.fail(kind.place, "", "section ["+sec.Name+"] "+kind.missing, "add a line "+kind.place+"=, or remove the section")
			}
			s.checkLogin()
			if v.username != nil && v.password != nil {
				v.Username, v.Password = *v.username, *v.password
			}
			v.UID, v.GID = v.owner.uid, v.owner.gid
			r.cfg.Servers = append(r.cfg.Servers, v.Server)
		}
	}
}

// checkLogin refuses half an authentication. An empty username= is written all the same, and turns
// the authentication off.
func (s *section) checkLogin() {
	if s.has("username") != s.has("password") {
		given, lacking := "username", "password"
		if s.has("password") {
			given, lacking = lacking, given
		}
		s.fail(given, s.raw(given), "Section ["+s.Name+"] contains incomplete authentication: If a username or a password "+
			"is specified, both the username and password must be specified", "add a line "+lacking+"=")
	}
}
