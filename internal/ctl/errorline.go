package ctl

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"holdfast/client"
	"holdfast/internal/pyrepr"
)

// A valueError is a plain text that the original raises as a ValueError.
type valueError string

func (e valueError) Error() string { return string(e) }

// errNoLine is the end of the input where a question was asked.
var errNoLine = errors.New("EOF when reading a line")

// errorLine is the line for an error that no command has words for. The original prints Python's
// class and text of it; scripts that look for one of them find it here.
//
// Differs: the original goes on with ": file: F line: N", a place in its own source, which would
// mean nothing here. An error that Python knows no class for is told in our words.
func errorLine(err error) string {
	class, text := pythonError(err)
	if class == "" {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("error: <class '%s'>, %s", class, text)
}

func pythonError(err error) (class, text string) {
	var (
		fault *client.Fault
		http  *client.HTTPError
		value valueError
		dns   *net.DNSError
		errno syscall.Errno
	)
	switch {
	case errors.As(err, &fault):
		return "xmlrpc.client.Fault", faultText(fault)
	case errors.As(err, &http):
		text := fmt.Sprintf("<ProtocolError for 127.0.0.1/RPC2: %d %s>", http.Code, http.Reason)
		if http.Code == 503 {
			text += ": supervisord makes room for another one; what was asked for goes on there, so look at status first"
		}
		return "xmlrpc.client.ProtocolError", text
	case errors.As(err, &value):
		return "ValueError", value.Error()
	case errors.Is(err, errNoLine):
		return "EOFError", errNoLine.Error()
	case errors.As(err, &dns) && dns.IsTemporary:
		return "socket.gaierror", "[Errno -3] Temporary failure in name resolution"
	case errors.As(err, &dns):
		return "socket.gaierror", "[Errno -2] Name or service not known"
	case errors.As(err, &errno):
		return errnoClass(errno), errnoText(errno)
	case errors.Is(err, io.EOF):
		return "http.client.RemoteDisconnected", "Remote end closed connection without response"
	}
	return "", ""
}

// faultText is Python's repr of a fault.
func faultText(f *client.Fault) string {
	return fmt.Sprintf("<Fault %d: %s>", f.Code, pyrepr.Repr(f.String))
}

func errnoClass(errno syscall.Errno) string {
	switch errno {
	case syscall.ECONNREFUSED:
		return "ConnectionRefusedError"
	case syscall.ECONNRESET:
		return "ConnectionResetError"
	case syscall.ECONNABORTED:
		return "ConnectionAbortedError"
	case syscall.EPIPE:
		return "BrokenPipeError"
	case syscall.ENOENT:
		return "FileNotFoundError"
	case syscall.ENOTDIR:
		return "NotADirectoryError"
	case syscall.EACCES, syscall.EPERM:
		return "PermissionError"
	case syscall.ETIMEDOUT:
		return "TimeoutError"
	}
	return "OSError"
}

// errnoText is what the C library says, which begins with a capital where Go does not.
func errnoText(errno syscall.Errno) string {
	text := errno.Error()
	return fmt.Sprintf("[Errno %d] %s%s", int(errno), strings.ToUpper(text[:1]), text[1:])
}
