package e2e

import (
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// dial connects to "unix:PATH" or "tcp:HOST:PORT" and sends bytes as Go writes them in quotes, with
// the right number in the place of "Content-Length: *".
func dial(ts *testscript.TestScript, where, text string) net.Conn {
	network, address, _ := strings.Cut(where, ":")
	bytes, err := strconv.Unquote(`"` + text + `"`)
	ts.Check(err)
	_, body, _ := strings.Cut(bytes, "\r\n\r\n")
	bytes = strings.Replace(bytes, "Content-Length: *", "Content-Length: "+strconv.Itoa(len(body)), 1)
	c, err := net.Dial(network, address)
	ts.Check(err)
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, bytes); err != nil {
		ts.Logf("the server took not all of it: %v", err)
	}
	return c
}

// raw WHERE TEXT: send bytes to a server, end the sending, and have what it answers on stdout.
// ! raw: hang up instead of reading.
func raw(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: raw unix:PATH|tcp:HOST:PORT TEXT")
	}
	c := dial(ts, args[0], args[1])
	defer c.Close()
	if neg {
		return
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil {
		ts.Logf("%v", err) // a reset, after what was read
	}
	ts.Stdout().Write(answer)
}

// hold WHERE TEXT: send bytes to a server and leave the connection open until the script ends.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold unix:PATH|tcp:HOST:PORT TEXT")
	}
	c := dial(ts, args[0], args[1])
	ts.Defer(func() { c.Close() })
}
