package childutils

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf8"
)

// A Listener is the listener's side of the event listener protocol. It is not for several goroutines.
type Listener struct {
	in    *bufio.Reader
	out   io.Writer
	event *Event // not answered yet
}

// NewListener returns a Listener that reads events from in and answers on out: in a program os.Stdin and
// os.Stdout.
func NewListener(in io.Reader, out io.Writer) *Listener {
	return &Listener{in: bufio.NewReader(in), out: out}
}

// Run is Listener.Run on stdin and stdout.
func Run(handle func(*Event) error) error {
	return NewListener(os.Stdin, os.Stdout).Run(handle)
}

// Run calls handle for one event after the other. An event is processed when handle returns nil. With an
// error it is rejected, and supervisord sends it again, to this process or to another one of its pool; that
// can be at once. To tell why is up to handle.
//
// Run returns only when there can be no more events; Next says with what error.
func (l *Listener) Run(handle func(*Event) error) error {
	for {
		e, err := l.Next()
		if err != nil {
			return err
		}
		if handle(e) == nil {
			err = l.OK()
		} else {
			err = l.Fail()
		}
		if err != nil {
			return err
		}
	}
}

// Next says that this listener is READY and waits for an event, which has to be answered before the next one
// comes. If the process ends instead, supervisord sends the event again.
//
// The error is io.EOF when supervisord has closed the listener's stdin, and io.ErrUnexpectedEOF, wrapped,
// when it did so within an event.
func (l *Listener) Next() (*Event, error) {
	if l.event != nil {
		return nil, fmt.Errorf("event %d has not been answered", l.event.Serial)
	}
	if _, err := io.WriteString(l.out, "READY\n"); err != nil {
		return nil, fmt.Errorf("cannot ask for an event: %w", err)
	}
	line, err := l.in.ReadString('\n')
	if err == io.EOF && line == "" {
		return nil, io.EOF
	}
	if err != nil {
		return nil, cannotRead(err)
	}
	e, err := parseHeader(line)
	if err != nil {
		return nil, err
	}
	if e.Payload, err = readChars(l.in, e.Len); err != nil {
		return nil, cannotRead(err)
	}
	l.event = e
	return e, nil
}

func cannotRead(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("cannot read an event: %w", err)
}

// readChars reads n characters: supervisord counts these, and not bytes. What is not UTF-8 counts a character
// a byte, as it does in Python.
func readChars(r *bufio.Reader, n int) (string, error) {
	var b []byte
	for range n {
		c, size, err := r.ReadRune()
		if err != nil {
			return "", err
		}
		if c == utf8.RuneError && size == 1 {
			_ = r.UnreadRune() // works right after ReadRune
			raw, _ := r.ReadByte()
			b = append(b, raw)
			continue
		}
		b = utf8.AppendRune(b, c)
	}
	return string(b), nil
}

// OK answers that the event was processed.
func (l *Listener) OK() error { return l.Result("OK") }

// Fail answers that the event was rejected.
func (l *Listener) Fail() error { return l.Result("FAIL") }

// Result answers with any result. To supervisord's own result handler "OK" means that the event was processed
// and everything else that it was rejected.
func (l *Listener) Result(result string) error {
	if l.event == nil {
		return errors.New("there is no event to be answered")
	}
	if _, err := io.WriteString(l.out, "RESULT "+strconv.Itoa(len(result))+"\n"+result); err != nil {
		return fmt.Errorf("cannot answer event %d: %w", l.event.Serial, err)
	}
	l.event = nil
	return nil
}
