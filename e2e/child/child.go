// Child is what the daemons under test run: a program that does exactly what its arguments say, one
// after the other. It is no test binary, since those take long to start, with -race above all.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "QUIT": syscall.SIGQUIT, "INT": syscall.SIGINT,
	"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "KILL": syscall.SIGKILL, "SEGV": syscall.SIGSEGV,
	"USR2": syscall.SIGUSR2, "ALRM": syscall.SIGALRM, "CONT": syscall.SIGCONT,
}

func main() { os.Exit(run(os.Args[1:])) }

// run does what args say and returns the exit code.
func run(args []string) int {
	for i := 0; i < len(args); i++ {
		next := func() string {
			i++
			return args[i]
		}
		switch args[i] {
		case "say": // say TEXT: a line on stdout
			fmt.Println(next())
		case "complain": // complain TEXT: a line on stderr
			fmt.Fprintln(os.Stderr, next())
		case "half": // half TEXT: no newline
			fmt.Print(next())
		case "raw", "complain-raw": // raw TEXT: with Go's escapes, and no newline
			to := os.Stdout
			if args[i] != "raw" {
				to = os.Stderr
			}
			text, err := strconv.Unquote(`"` + next() + `"`)
			if err != nil {
				fmt.Println(err)
			}
			to.WriteString(text)
		case "wait": // wait FILE: until it is there
			for file := next(); ; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Stat(file); err == nil {
					break
				}
			}
		case "lines": // lines N: N numbered lines, as fast as it goes
			n, _ := strconv.Atoi(next())
			w := bufio.NewWriter(os.Stdout)
			for j := range n {
				fmt.Fprintf(w, "line %06d\n", j)
			}
			w.Flush()
		case "count": // numbered lines, one a millisecond, for ever
			for n := 1; ; n++ {
				fmt.Println(n)
				time.Sleep(time.Millisecond)
			}
		case "burst": // burst N FILE: on SIGUSR1 N numbered lines, and then the file
			n, _ := strconv.Atoi(next())
			file := next()
			c := make(chan os.Signal, 1)
			signal.Notify(c, syscall.SIGUSR1)
			go func() {
				<-c
				w := bufio.NewWriter(os.Stdout)
				for j := range n {
					fmt.Fprintf(w, "line %06d\n", j)
				}
				w.Flush()
				os.WriteFile(file, []byte("done\n"), 0o644)
			}()
		case "flood": // lines for ever
			line := []byte(strings.Repeat("x", 99) + "\n")
			for {
				os.Stdout.Write(line)
			}
		case "ignore": // ignore SIGNAL
			signal.Ignore(signals[next()])
		case "notice": // notice SIGNAL: say "got SIGNAL" for each
			name := next()
			c := make(chan os.Signal, 8)
			signal.Notify(c, signals[name])
			go func() {
				for range c {
					fmt.Println("got " + name)
				}
			}()
		case "on-term": // on-term TEXT: say TEXT on SIGTERM and exit with 0
			text := next()
			c := make(chan os.Signal, 1)
			signal.Notify(c, syscall.SIGTERM, syscall.SIGQUIT)
			go func() {
				<-c
				fmt.Println(text)
				os.Exit(0)
			}()
		case "upon": // upon SIGNAL ARGS... --: do this at the signal, and end
			name := next()
			var sub []string
			for i++; i < len(args) && args[i] != "--"; i++ {
				sub = append(sub, args[i])
			}
			c := make(chan os.Signal, 1)
			signal.Notify(c, signals[name])
			go func() {
				<-c
				os.Exit(run(sub))
			}()
		case "echo": // echo stdin to stdout, until it ends
			in := bufio.NewScanner(os.Stdin)
			for in.Scan() {
				fmt.Println("echo: " + in.Text())
			}
		case "accept": // accept TEXT: answer with TEXT on the socket that is fd 0, for ever
			text := next()
			for {
				c, _, err := syscall.Accept(0)
				if err != nil {
					fmt.Println(err)
					return 1
				}
				syscall.Write(c, []byte(text+"\n"))
				syscall.Close(c)
			}
		case "ears": // ears FILE ANSWER...: an event listener; see hear
			file := next()
			return hear(file, args[i+1:])
		case "cry": // cry SIGNAL: send it to itself
			syscall.Kill(os.Getpid(), signals[next()])
		case "env": // env NAME
			name := next()
			fmt.Println(name + "=" + os.Getenv(name))
		case "pidfile": // pidfile FILE
			os.WriteFile(next(), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
		case "grandchild": // grandchild ARGS... -- : start another one in the same group
			var sub []string
			for i++; i < len(args) && args[i] != "--"; i++ {
				sub = append(sub, args[i])
			}
			cmd := exec.Command("/proc/self/exe", sub...)
			cmd.Args[0] = "child"
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Start(); err != nil {
				fmt.Println(err)
			}
		case "exit": // exit CODE
			code, _ := strconv.Atoi(next())
			return code
		case "stay":
			stay()
		default:
			s, ok := services[args[i]]
			if !ok {
				fmt.Fprintln(os.Stderr, "child: unknown word "+args[i])
				return 99
			}
			if err := s.do(args[i+1 : i+1+s.arguments]); err != nil {
				fmt.Fprintln(os.Stderr, "child:", err)
				return 97
			}
			i += s.arguments
		}
	}
	return 0
}

// stay waits for a signal. It sleeps, since a program without a timer or another goroutine that waits for
// ever is ended by Go's runtime as deadlocked.
func stay() {
	for {
		time.Sleep(time.Hour)
	}
}
