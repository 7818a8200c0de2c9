package childutils_test

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"holdfast/childutils"
)

func ExampleListener_Run() {
	// In a program: childutils.Run, which reads stdin and answers on stdout.
	in := strings.NewReader("ver:3.0 server:supervisor serial:21 pool:ears poolserial:10 eventname:PROCESS_STATE_EXITED len:68\n" +
		"processname:web groupname:web from_state:RUNNING expected:0 pid:4711")
	l := childutils.NewListener(in, os.Stdout)
	err := l.Run(func(e *childutils.Event) error {
		fields, _ := e.Fields()
		if e.Name == "PROCESS_STATE_EXITED" && fields["expected"] == "0" {
			return errors.New("nobody was there to be told of " + fields["processname"])
		}
		return nil
	})
	fmt.Printf("(%v)\n", err)
	// Output:
	// READY
	// RESULT 4
	// FAILREADY
	// (EOF)
}

func ExampleCommunicate() {
	// With stdout_capture_maxbytes=1KB in its section this tells the listeners of PROCESS_COMMUNICATION_STDOUT.
	if err := childutils.Communicate(os.Stdout, "backup done"); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output:
	// <!--XSUPERVISOR:BEGIN-->backup done<!--XSUPERVISOR:END-->
}
