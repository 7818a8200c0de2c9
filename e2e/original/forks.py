# Runs the programs of sys.argv, which are Python scripts, without loading their modules each time.
#
# A run is a message on the socket 3: the directory and the arguments with NULs between them, and four
# descriptors, which are the run's stdin, stdout and stderr and a pipe. Into the pipe goes a line with
# the pid, and one with the wait status as soon as the run has ended.

import gc
import os
import select
import signal
import socket
import sys

sys.path[0] = os.path.dirname(sys.argv[1])  # as Python has it when it is given the script

# What the two programs import, some of it only when they need it.
import encodings.idna
import importlib.metadata
import supervisor.rpcinterface
import supervisor.supervisorctl
import supervisor.supervisord
import supervisor.web


def compiled(path):
    with open(path) as f:
        return compile(f.read(), path, "exec")


def fork_for_each():
    """Returns in the child of each run: the run's directory, arguments and descriptors."""
    runs = socket.socket(fileno=3)
    under_way = {}  # a pidfd: the pid, and the pipe
    poll = select.poll()
    poll.register(runs, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in under_way:
                pid, pipe = under_way.pop(fd)
                poll.unregister(fd)
                os.close(fd)
                tell(pipe, os.waitpid(pid, 0)[1])
                os.close(pipe)
                continue
            message, fds, _, _ = socket.recv_fds(runs, 1 << 18, 4)
            if not message:  # the test has ended, or was killed
                for pid, _ in under_way.values():
                    os.kill(pid, signal.SIGTERM)
                sys.exit()
            *stdio, pipe = fds
            pid = os.fork()
            if pid == 0:
                runs.detach()  # so that nobody closes the 3 of the run
                where, *argv = map(os.fsdecode, message.split(b"\0"))
                return where, argv, stdio
            for f in stdio:
                os.close(f)
            pidfd = os.pidfd_open(pid)
            under_way[pidfd] = pid, pipe
            poll.register(pidfd, select.POLLIN)
            tell(pipe, pid)


def tell(pipe, number):
    try:
        os.write(pipe, b"%d\n" % number)
    except BrokenPipeError:
        pass  # nobody wants to know


programs = {path: compiled(path) for path in sys.argv[1:]}
gc.freeze()  # a collection in the child would copy all pages
where, sys.argv, stdio = fork_for_each()
for fd, f in enumerate(stdio):
    os.dup2(f, fd)
os.closerange(3, 1 << 16)
os.chdir(where)
exec(programs[sys.argv[0]], {"__name__": "__main__"})
