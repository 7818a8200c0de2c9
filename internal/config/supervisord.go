package config

import "log/slog"

// supervisordOptions are the options of [supervisord] but environment=, which has other names to
// expand. The command line has an option of the same name for each of them.
var supervisordOptions = []option[Supervisord]{
	opt("nodaemon", "false", boolean, func(s *Supervisord) *bool { return &s.NoDaemon }),
	noPreset("user", optional(str), func(s *Supervisord) **string { return &s.user }),
	opt("umask", "022", octal, func(s *Supervisord) *int { return &s.Umask }),
	noPreset("directory", directory, func(s *Supervisord) *string { return &s.Directory }),
	opt("logfile", "supervisord.log", dirPath, func(s *Supervisord) *string { return &s.LogFile }),
	opt("logfile_maxbytes", "50MB", byteSize, func(s *Supervisord) *int64 { return &s.LogFileMaxBytes }),
	opt("logfile_backups", "10", integer, func(s *Supervisord) *int { return &s.LogFileBackups }).cured(backupsCure),
	opt("loglevel", "info", logLevel, func(s *Supervisord) *slog.Level { return &s.LogLevel }),
	opt("pidfile", "supervisord.pid", dirPath, func(s *Supervisord) *string { return &s.PidFile }),
	opt("identifier", "supervisor", str, func(s *Supervisord) *string { return &s.Identifier }),
	noPreset("childlogdir", directory, func(s *Supervisord) *string { return &s.ChildLogDir }),
	opt("minfds", "1024", integer, func(s *Supervisord) *int { return &s.MinFDs }),
	opt("minprocs", "200", integer, func(s *Supervisord) *int { return &s.MinProcs }),
	opt("nocleanup", "false", boolean, func(s *Supervisord) *bool { return &s.NoCleanup }),
	opt("strip_ansi", "false", boolean, func(s *Supervisord) *bool { return &s.StripANSI }),
	opt("silent", "false", boolean, func(s *Supervisord) *bool { return &s.Silent }),
}

var globalEnvironmentOption = []option[Supervisord]{
	opt("environment", "", pairs, func(s *Supervisord) *map[string]string { return &s.Environment }).labelled("environment"),
}
