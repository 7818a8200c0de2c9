// Package childutils helps to write programs that run under supervisord, Holdfast's or the original:
// event listeners, and programs that send events. It is to Go what supervisor.childutils is to Python.
//
// This is an event listener:
//
//	func main() {
//		err := childutils.Run(func(e *childutils.Event) error {
//			fields, _ := e.Fields()
//			fmt.Fprintln(os.Stderr, fields["processname"], e.Name)
//			return nil
//		})
//		log.Fatal(err)
//	}
//
// and this is what makes supervisord start it:
//
//	[eventlistener:ears]
//	command=/usr/local/bin/ears
//	events=PROCESS_STATE
//
// The stdout of an event listener belongs to the protocol: one byte of anything else there, and supervisord
// sends it no more events. What it has to say goes to stderr.
package childutils

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"holdfast/client"
)

// NewClient returns a client of the supervisord that has started this process, which names itself in
// SUPERVISOR_SERVER_URL. If it wants a password, environment= in the configuration has to give the program
// SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD.
func NewClient() (*client.Client, error) {
	url := os.Getenv("SUPERVISOR_SERVER_URL")
	if url == "" {
		return nil, errors.New("SUPERVISOR_SERVER_URL is not set: this process was not started by supervisord, " +
			"or the configuration has neither a [unix_http_server] nor an [inet_http_server]")
	}
	return client.New(url, os.Getenv("SUPERVISOR_USERNAME"), os.Getenv("SUPERVISOR_PASSWORD"))
}

const (
	beginToken = "<!--XSUPERVISOR:BEGIN-->"
	endToken   = "<!--XSUPERVISOR:END-->"
)

// Communicate sends data to the event listeners, as a PROCESS_COMMUNICATION event. w is os.Stdout or
// os.Stderr, and stdout_capture_maxbytes or stderr_capture_maxbytes of the program is at least the length of
// data: of more than that only the end arrives. An event listener can do so on stderr only.
func Communicate(w io.Writer, data string) error {
	if strings.Contains(data, endToken) {
		return fmt.Errorf("cannot send data with %s in it", endToken)
	}
	_, err := io.WriteString(w, beginToken+data+endToken) // in one piece: others may write there too
	return err
}
