package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Find looks for the configuration file where the original does when -c is not given. The path is
// empty if there is none; tried lists the places in the order of the search.
func Find(argv0 string) (found string, tried []string) {
	up := dirName(dirName(argv0))
	if up != "" && !strings.HasSuffix(up, "/") {
		up += "/"
	}
	tried = []string{
		up + "etc/supervisord.conf",
		up + "supervisord.conf",
		"supervisord.conf",
		"etc/supervisord.conf",
		"/etc/supervisord.conf",
		"/etc/supervisor/supervisord.conf",
	}
	for _, p := range tried {
		if _, err := os.Stat(p); err == nil {
			return p, tried
		}
	}
	return "", tried
}

// NotFound is what supervisord says when Find has found nothing. supervisorctl says nothing then
// and runs with defaults (LoadCtl with an empty path).
func NotFound(tried []string) error {
	return errors.New("No config file found at default paths (" + strings.Join(tried, ", ") +
		"); use the -c option to specify a config file at a different path")
}

// Argv0 is the path of the program that was called argv0: that of the file that a search of path, a
// PATH, finds for a bare name. The kernel tells a Python script as much; a binary it doesn't.
func Argv0(argv0, path string) string {
	if strings.Contains(argv0, "/") {
		return argv0
	}
	for _, dir := range strings.Split(path, ":") {
		file := filepath.Join(dir, argv0)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return argv0
}

// dirName is what is before the last slash of p; unlike path.Dir it is empty for a bare name.
func dirName(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ""
	}
	if head := strings.TrimRight(p[:i], "/"); head != "" {
		return head
	}
	return p[:i+1]
}
