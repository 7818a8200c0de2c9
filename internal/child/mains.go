package child

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"holdfast/internal/launch"
)

// Mains finds the processes that do what programs are there for, where wrappers stand before them. It is a look
// at one moment: for showing, never for a signal.
type Mains struct {
	children map[int][]int // nil: nobody has needed them yet
}

// wrappers are programs that start one other and wait for it, by the names of their files.
var wrappers = []string{
	"ash", "bash", "busybox", "dash", "ksh", "ksh93", "mksh", "sh", "yash", "zsh",
	"catatonit", "docker-init", "dumb-init", "tini", "tini-static",
	"doas", "flock", "pidproxy", "runuser", "script", "strace", "su", "sudo", "timeout", "unshare",
}

// deepest is how many wrappers may stand one behind the other.
const deepest = 8

// Of is the main process of the one that was started as pid: the one that it has named itself, unless said is 0 or that
// one has gone; else the one behind it, as long as that is a wrapper with one child. The command is empty where it can't be told.
func (m *Mains) Of(pid, said int) (main int, command string) {
	if command = commandOf(said); command != "" {
		return said, command
	}
	for range deepest {
		if !isWrapper(pid) {
			break
		}
		if m.children == nil {
			m.children = launch.Children()
		}
		children := m.children[pid]
		if len(children) != 1 {
			break
		}
		pid = children[0]
	}
	return pid, commandOf(pid)
}

func isWrapper(pid int) bool {
	file, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return err == nil && slices.Contains(wrappers, filepath.Base(strings.TrimSuffix(file, " (deleted)")))
}

// commandOf is the command line of a process, its arguments joined by blanks and cut.
func commandOf(pid int) string {
	const limit, cut = 200, "..."
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, limit+1)) // what can't be read is as if it were empty
	more := ""
	if len(data) > limit {
		data, more = wholeRunes(data[:limit-len(cut)]), cut
	}
	return visible(bytes.ReplaceAll(bytes.TrimRight(data, "\x00"), []byte{0}, []byte{' '})) + more
}

// wholeRunes is text without the character that was cut at its end.
func wholeRunes(text []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if last := text[len(text)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return text[:len(text)-n]
			}
			break
		}
	}
	return text
}
