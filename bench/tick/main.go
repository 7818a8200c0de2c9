// Tick is tick.c for machines without a C compiler: it says when it began, and who it is, writes the lines
// that it may have to write, and sleeps. The Go runtime starts before main, so the figures are higher by its
// time, for all peers.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	report()
	if writes, err := strconv.Atoi(os.Getenv("HOLDFAST_BENCH_WRITES")); err == nil {
		block := bytes.Repeat([]byte(strings.Repeat("x", 63)+"\n"), 64)
		for range writes {
			if _, err := os.Stdout.Write(block); err != nil {
				os.Exit(1)
			}
		}
		report()
	}
	for {
		unix.Pause()
	}
}

func report() {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		os.Exit(1)
	}
	f, err := os.OpenFile(os.Getenv("HOLDFAST_BENCH_FIFO"), os.O_WRONLY, 0)
	if err != nil {
		os.Exit(1)
	}
	fmt.Fprintf(f, "%d %d\n", os.Getpid(), t.Nano())
	f.Close()
}
