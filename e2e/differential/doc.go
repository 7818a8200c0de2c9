// Package differential holds supervisord to the original: both get the same configuration and the
// same scenario, and what can be seen from outside must be the same. It has tests only.
//
// A scenario is a file of testdata. It consists of blocks with an empty line between them:
//
//	# A comment: the rule of the manual that comes next.
//	rpc supervisor.startProcess "web"
//	----
//	fault 60 ALREADY_STARTED: web
//
// A block is comments, a command, lines that belong to the command, "----", and what the original
// gives. Where we differ on purpose, that follows behind a second line, which names the row of
// docs/differences.md:
//
//	rpc supervisor.getProcessInfo "web"
//	----
//	http 500
//	---- integers beyond 32 bits
//	{"name": "web", ...}
//
// The flag -rewrite runs the original again and writes down what it gives; with a second line there,
// it also writes what ours gives. Read the diff.
//
// In the lines of a command, $DIR is the scenario's directory, $CHILD the program of package
// e2e/child, $PORT a free port, $ORIGINAL "yes" or "no" and $UID this user's number; an empty line in
// an output is written ~, and a line with characters that can't be printed, or blanks at its end, is
// quoted. Pids, times, versions and the directory are replaced by their names.
//
// The commands:
//
//	conf [FILE]             write the configuration of programs, conf.d/programs.ini or conf.d/FILE
//	options                 lines for the section [supervisord] of the basic supervisord.conf
//	main                    another supervisord.conf instead of the basic one
//	write FILE              any file
//	start [ARG...]          start the daemon ("-n -c supervisord.conf"); gives what it says if it ends at once
//	ended                   wait for the daemon's end; gives its exit code and what it wrote to stderr
//	kill SIGNAL [PROCESS]   a signal to the daemon, or to a process by its pid
//	rpc METHOD ARG...       a call; the arguments are JSON, null is nil, {"base64": "..."} is base64
//	call                    the lines are the body of a POST to /RPC2; gives the answer's header and body
//	http [-inet] [-n N]     the lines are sent as they are, each with CR and LF behind it; gives N answers (1),
//	                        or "closed"
//	ctl [ARG...]            supervisorctl of the same side; the lines are its stdin
//	await PROCESS STATE     wait until the process is in the state
//	states [PROCESS...]     the states of all processes
//	events FILE 'UNTIL' ['ONLY']  the new events that the listener "child ears FILE" has got, to the one that
//	                        matches UNTIL; only those that match ONLY
//	log 'UNTIL' ['ONLY']    the same with the lines of supervisord.log
//	cat FILE ['UNTIL']      a file, once a line of it matches UNTIL
//	sh COMMAND              a shell's output, in the scenario's directory
package differential
