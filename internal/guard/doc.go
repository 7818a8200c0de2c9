// Package guard is the process above the daemon: the first one that supervisord is, with the pid that
// the pidfile names. It starts the daemon and starts it again when it dies, passes it the signals that
// come, waits for the orphans that a dead daemon leaves, and holds what the next daemon needs. It
// decides nothing about programs.
//
//	guard ──▶ daemon ──▶ the programs' processes
//	   ◀── one SOCK_SEQPACKET pair a daemon, a packet of text each ──▶
//
//	the daemon says              the guard
//	store KEY (+ files)          keeps them, in place of older ones, and gives them to each new daemon
//	drop KEY                     closes them
//	done SEQ                     forgets that exit
//	up                           takes this daemon for started: passes the signals on
//	bye                          ends as the daemon ends, with its status
//	exec PATH                    starts PATH from now on; if that does not get up, the one before it
//
//	the guard says               which is
//	fd KEY (+ files)             what an earlier daemon has stored
//	exit SEQ PID START STATUS    the end of a process that the guard waited for
//	go                           the end of what there was to say to a new daemon
//
// What a daemon has sent is in the socket's queue, and so counts, even if it is killed right after:
// the guard reads the queue of a dead daemon to its end before it draws any conclusion.
//
// An exit is said until a daemon answers it, also to the next daemon and the one after that. At most
// [window] of them are unanswered at a time, so that the guard never waits for a daemon that does not read.
//
// Main is the guard, Connect the daemon's side of it, and Become makes any process the guard. The
// package keeps no goroutine and no child in a process that calls none of them.
package guard
