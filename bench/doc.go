// Bench measures what this project promises about speed, beside its peers and in one run, so that
// the figures can be compared:
//
//   - restart latency: from SIGKILL to the first instruction of the new instance;
//   - start: from the exec of the daemon to the first instruction of the last of 100 programs;
//   - log: from the first line that a program writes to the last one, and the daemon's CPU time for them;
//   - with those 100 programs up and idle: the daemon's memory, threads, CPU time and wake-ups.
//
// What a daemon uses is what all its processes use together; of ours, what daemon and guard do.
//
// The peers are a bare loop of fork, exec and wait in Go and one in C (the floor), our
// bin/supervisord, another build of it (-other), and whatever is installed of the original
// supervisord, runit and daemontools. Rounds are interleaved and their order turns, so that a busy
// moment of the machine hits all. Every ratio is to the bare Go loop of the same run; that of the
// log, which it has none of, to ours. The kill, the first instruction and the last line are
// stamped with CLOCK_MONOTONIC, in the processes that they happen in; nothing is polled.
//
// No test asserts a figure: machines differ.
package main
