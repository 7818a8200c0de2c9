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
// e2e/child, $DAEMON and $CTL the side's two programs, $PORT a free port, $ORIGINAL "yes" or "no" and
// $UID this user's number; an empty line in an output is written ~, and a line with characters that
// can't be printed, or blanks at its end, is quoted. Pids, times, versions and the directory are
// replaced by their names.
//
// The commands:
//
//	conf [FILE]             write the configuration of programs, conf.d/programs.ini or conf.d/FILE
//	options                 lines for the section [supervisord] of the basic supervisord.conf
//	main                    another supervisord.conf instead of the basic one
//	write FILE              any file
//	syslog                  a syslog daemon for the next start; the file messages has a line for each
//	start [ARG...]          start the daemon ("-n -c supervisord.conf"); gives what it says if it ends at once.
//	                        Its stdout is the file .stdout
//	ended                   wait for the daemon's end; gives its exit code and what it wrote to stderr
//	kill SIGNAL [PROCESS]   a signal to the daemon, or to a process by its pid
//	rpc [-sorted] METHOD ARG...  a call; the arguments are JSON, null is nil, {"repeat": ["x", 3]} is "xxx".
//	                        -sorted: an array whose order is that of the processes' deaths, sorted
//	rpcs                    several calls, a line each
//	call                    the lines are the body of a POST to /RPC2; gives the answer's header and body
//	calls                   each line is the body of a POST to /RPC2; gives what rpc gives
//	http [-inet] [-n N] [-hangs]  the lines are sent as they are, each with CR and LF behind it, but one in quotes
//	                        as Go reads it; gives N answers (1), or "closed". An error's page, which is always
//	                        the same, is "(the error page)". -hangs: one side gives no answer, and is not given
//	                        much time for it
//	follow ID [-inet]       the lines are a request whose answer goes on and on; gives its header
//	heard ID ['UNTIL'] ['ONLY']  what has come of it since the last time, to the line that matches UNTIL or to
//	                        its end
//	page [-inet] METHOD TARGET  what a user finds in a web page, or in the one that it redirects to; the lines
//	                        are the body of a POST
//	bg ID COMMAND           begin a command and go on
//	join ID                 what it has given
//	ctl [ARG...]            supervisorctl of the same side; the lines are its stdin
//	await PROCESS STATE     wait until the process is in the state
//	states [PROCESS...]     the states of all processes
//	configs [FIELD...]      these fields of getAllConfigInfo, a line a process
//	events FILE 'UNTIL' ['ONLY']  the new events that the listener "child ears FILE" has got, to the one that
//	                        matches UNTIL; only those that match ONLY
//	log 'UNTIL' ['ONLY']    the same with the lines of supervisord.log
//	sees FILE 'WHAT' [N]    wait until WHAT matches N times (1) in a file
//	cat FILE ['UNTIL']      a file, once a line of it matches UNTIL
//	sh COMMAND              a shell's output, in the scenario's directory
package differential
