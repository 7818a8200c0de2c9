"""A program that speaks to supervisord by its output and by calls. usage: talker.py FILE, that of listener.py"""
import json
import os
import sys
import time

from supervisor import childutils

rpc = childutils.getRPCInterface(os.environ)


def say(how, text, times=1):
    """The next output comes when the listener has got this one, so that it is an event of its own."""
    how(text)
    while open(sys.argv[1]).read().count(json.dumps(text, ensure_ascii=False)) < times:
        time.sleep(.01)


def out(text, file=sys.stdout):
    """One write: it is one event."""
    file.buffer.write(text.encode())
    file.flush()


def event_out(text):
    childutils.pcomm.send(text.encode(), sys.stdout.buffer)


def event_err(text):
    childutils.pcomm.send(text.encode(), sys.stderr.buffer)


def tell(*what, how=event_out):
    """An event, and before it one that tells of the output that it came in."""
    say(how, json.dumps(what, ensure_ascii=False), 2)


me = os.environ['SUPERVISOR_GROUP_NAME'] + ':' + os.environ['SUPERVISOR_PROCESS_NAME']
# The original holds back what is shorter than the mark of an event: the row "capture mode: output
# shorter than a token" of docs/differences.md.
say(out, 'plain output that is longer than that, é中\n')
say(lambda text: out(text, sys.stderr), 'plain errors that are longer than that, é中\n')
tell('to the listeners, é中')
tell('errors to the listeners, é中', how=event_err)
tell('two\nlines\n')
say(out, childutils.get_asctime() + ' more output\n')
tell({k: v.replace(os.path.dirname(sys.argv[1]), 'HERE') for k, v in sorted(os.environ.items()) if k.startswith('SUPERVISOR_')})
tell(rpc.supervisor.getProcessInfo(me)['statename'], rpc.supervisor.readProcessStdoutLog(me, 0, 0),
     rpc.supervisor.readProcessStderrLog(me, 0, 0))
try:
    rpc.supervisor.startProcess(me)
except Exception as e:
    tell(str(e))
rpc.supervisor.sendRemoteCommEvent('talker', 'done')
time.sleep(1000)
