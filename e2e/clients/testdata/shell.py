"""Sits at the original's supervisorctl on a terminal, and prints what it shows. usage: shell.py ARGV..."""
import os
import pty
import select
import signal
import sys


class Terminal:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ['TERM'] = 'dumb'
            os.execv(sys.argv[1], sys.argv[1:])
        self.shown = b''
        self.expect('supervisor> ')

    def expect(self, *texts, ask=lambda: None):
        """Returns what comes until the last of texts, each of which must come after the one before it.
        When nothing comes for ten seconds it asks once more."""
        until = 0
        for text in texts:
            while (at := self.shown.find(text.encode(), until)) < 0:
                if not select.select([self.fd], [], [], 10)[0]:
                    ask()
                    continue
                try:
                    more = os.read(self.fd, 4096)
                except OSError:
                    more = b''
                if not more:
                    sys.exit('it ended without %r; the last was %r' % (text, self.shown))
                self.shown += more
            until = at + len(text.encode())
        # What fg's other thread shows may come amidst a letter of the echo.
        got, self.shown = self.shown[:until].decode(errors='replace'), self.shown[until:]
        return got

    def enter(self, keys, *texts):
        os.write(self.fd, keys.encode())
        return self.expect(*texts)

    def interrupt(self, text):
        """Presses Ctrl-C, and again if it is lost: Python's input does not notice one that comes just before it waits."""
        def press():
            os.write(self.fd, b'\x03')
        press()
        return self.expect(text, ask=press)

    def do(self, line, *texts):
        """Shows what a command shows."""
        print(repr(self.enter(line + '\r', *texts, 'supervisor> ')))

    def ended(self):
        print('status', os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]))


# What its fg follows with is another thread, which disturbs whatever comes after it.
t = Terminal()
t.enter('fg talker\r', '==> Press Ctrl-C to exit <==\r\n', 'hello é中\r\n')
print(repr(t.enter('wörld\r', 'heard wörld\r\n')[-13:]))
t.interrupt('Exiting foreground')
os.kill(t.pid, signal.SIGKILL)
t.ended()

t = Terminal()
t.do('status', 'web:b')
t.do('stop cat', 'cat: stopped')
t.do('start cat', 'cat: started')
t.do('restart web:*', 'web:b: started')
t.do('tail nosuch', 'no such process')
t.do('stat\t ca\t', 'RUNNING')
t.do('update')
t.do('fg nosuch', 'ERROR')
t.do('reload\rn', 'y/N? ')
for follow, text in ('tail -f talker', 'hello é中\r\n'), ('tail -f talker stderr', 'oh é中\r\n'), ('maintail -f', 'entered RUNNING'):
    t.enter(follow + '\r', '==> Press Ctrl-C to exit <==\r\n', text)
    print(follow, repr(t.interrupt('\r\nsupervisor> ')[-14:]))
t.do('shutdown\ry', 'y/N? ', 'Shut down')
t.enter('exit\r')
t.ended()
