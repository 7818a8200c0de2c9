package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// hear is an event listener. It appends each event to the file: the header, and the payload quoted.
// The first events are answered with answers, in their order: "ok", "fail", "die" (with exit code 7),
// "hang", or any other text, with Go's escapes, as it stands; all after them with "ok". "wait FILE" before an
// answer makes it come when the file is there.
func hear(file string, answers []string) int {
	in := bufio.NewReader(os.Stdin)
	for {
		fmt.Print("READY\n")
		header, err := in.ReadString('\n')
		if err != nil {
			return 0
		}
		payload, err := characters(in, header)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 98
		}
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 98
		}
		fmt.Fprintf(f, "%s %q\n", strings.TrimSuffix(header, "\n"), payload)
		f.Close()
		answer := "ok"
		if len(answers) > 2 && answers[0] == "wait" {
			run(answers[:2])
			answers = answers[2:]
		}
		if len(answers) > 0 {
			answer, answers = answers[0], answers[1:]
		}
		switch answer {
		case "ok":
			fmt.Print("RESULT 2\nOK")
		case "fail":
			fmt.Print("RESULT 4\nFAIL")
		case "die":
			return 7
		case "hang":
			stay()
		default:
			text, err := strconv.Unquote(`"` + answer + `"`)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 98
			}
			fmt.Print(text)
		}
	}
}

// characters reads as many characters as the header's len says.
func characters(in *bufio.Reader, header string) (string, error) {
	_, after, _ := strings.Cut(header, " len:")
	n, err := strconv.Atoi(strings.TrimSpace(after))
	if err != nil {
		return "", fmt.Errorf("header %q: %w", header, err)
	}
	var b strings.Builder
	for range n {
		r, _, err := in.ReadRune()
		if err == io.EOF {
			return "", fmt.Errorf("header %q: the payload ends after %q", header, b.String())
		} else if err != nil {
			return "", err
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}
