package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// An input is what the user types. Lines are read with editing, history and completion where both
// ends are a terminal, and as they come otherwise; waiting for one can be given up, and nothing
// that is typed then is lost.
type input struct {
	r        io.Reader
	out      io.Writer
	pending  chan chunk // of the read that goes on, nil if none does; room for one, so that it need not wait for us
	rest     []byte     // read and not yet taken
	terminal *os.File   // stdin, if lines are edited
	editor   *term.Terminal
	ctrlC    bool // what the editor read last had a Ctrl-C in it
	history  history
	complete func(line string, pos int) (newLine string, newPos int, offers []string)
}

type chunk struct {
	data []byte
	err  error
}

func newInput(stdin io.Reader, stdout io.Writer) *input {
	in := &input{r: stdin, out: stdout}
	file, ok1 := stdin.(*os.File)
	out, ok2 := stdout.(*os.File)
	if ok1 && ok2 && term.IsTerminal(int(file.Fd())) && term.IsTerminal(int(out.Fd())) {
		in.terminal = file
		in.newEditor()
	}
	return in
}

func (in *input) newEditor() {
	in.editor = term.NewTerminal(editorIO{in}, "")
	in.editor.History = &in.history
	in.editor.AutoCompleteCallback = in.tab
}

// fill waits for more input. The read is left waiting when ctx is done, and the next fill takes
// what it gives. It ends with the process if nothing is typed.
func (in *input) fill(ctx context.Context) error {
	if in.pending == nil {
		in.pending = make(chan chunk, 1)
		go func(done chan<- chunk) {
			buf := make([]byte, 4096)
			n, err := in.r.Read(buf)
			done <- chunk{buf[:n], err}
		}(in.pending)
	}
	select {
	case c := <-in.pending:
		in.pending = nil
		in.rest = append(in.rest, c.data...)
		if len(c.data) > 0 {
			return nil // an error comes again
		}
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// line reads a line without editing and returns it without its end. A last line that has none
// counts too; then comes io.EOF.
func (in *input) line(ctx context.Context) (string, error) {
	for {
		if line, rest, found := bytes.Cut(in.rest, []byte("\n")); found {
			in.rest = rest
			return string(line), nil
		}
		if err := in.fill(ctx); err != nil {
			if line := in.rest; errors.Is(err, io.EOF) && len(line) > 0 {
				in.rest = nil
				return string(line), nil
			}
			return "", err
		}
	}
}

// errInterrupt is a Ctrl-C that was typed into the editor.
var errInterrupt = errors.New("interrupted")

// command reads a command line for the shell.
func (in *input) command(ctx context.Context, prompt string) (string, error) {
	if in.editor == nil {
		fmt.Fprint(in.out, prompt)
		return in.line(ctx)
	}
	return in.edit(func() (string, error) {
		in.editor.SetPrompt(prompt)
		return in.editor.ReadLine()
	})
}

// ask reads the answer to a question.
//
// Differs: it is kept out of the history.
func (in *input) ask(ctx context.Context, question string) (answer string, err error) {
	in.history.off = true
	answer, err = in.command(ctx, question)
	in.history.off = false
	return answer, noLine(err)
}

// askSecret is ask for an answer that is not to be shown.
func (in *input) askSecret(ctx context.Context, question string) (answer string, err error) {
	if in.editor == nil {
		return in.ask(ctx, question)
	}
	answer, err = in.edit(func() (string, error) { return in.editor.ReadPassword(question) })
	return answer, noLine(err)
}

func noLine(err error) error {
	if errors.Is(err, io.EOF) {
		return errNoLine
	}
	return err
}

// edit has read use the editor, with the terminal set for it meanwhile.
func (in *input) edit(read func() (string, error)) (string, error) {
	fd := int(in.terminal.Fd())
	if width, height, err := term.GetSize(fd); err == nil && width > 0 {
		_ = in.editor.SetSize(width, height) // fails only to repaint
	}
	was, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("cannot set the terminal for editing: %w", err)
	}
	defer term.Restore(fd, was)
	line, err := read()
	switch {
	case errors.Is(err, term.ErrPasteIndicator):
		err = nil
	case err != nil:
		in.newEditor() // the old one believes that its prompt still stands
		if in.ctrlC {  // the editor calls it the end of the input
			err = errInterrupt
		}
	}
	return line, err
}

// tab is called for every key; the editor knows what to do with the others.
func (in *input) tab(line string, pos int, key rune) (newLine string, newPos int, ok bool) {
	if key != '\t' || in.complete == nil || in.history.off {
		return line, pos, key == '\t'
	}
	newLine, newPos, offers := in.complete(line, pos)
	if len(offers) > 0 {
		fmt.Fprint(in.editor, columns(offers, 79))
	}
	return newLine, newPos, true
}

// editorIO is how the editor reads and writes.
type editorIO struct{ in *input }

func (e editorIO) Read(p []byte) (int, error) {
	if len(e.in.rest) == 0 {
		if err := e.in.fill(context.Background()); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.in.rest)
	e.in.ctrlC = bytes.IndexByte(p[:n], 3) >= 0
	e.in.rest = e.in.rest[n:]
	return n, nil
}

func (e editorIO) Write(p []byte) (int, error) { return e.in.out.Write(p) }
