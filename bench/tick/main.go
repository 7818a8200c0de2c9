// Tick is tick.c for machines without a C compiler: it says when it began, and who it is, and
// sleeps. The Go runtime starts before main, so the figures are higher by its time, for all peers.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func main() {
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
	for {
		unix.Pause()
	}
}
