"""An event listener that writes down what it gets. usage: listener.py FILE"""
import json
import os
import sys

from supervisor import childutils

rpc = childutils.getRPCInterface(os.environ)
rejected = set()


def note(*what):
    with open(sys.argv[1], 'a') as f:
        print(json.dumps(what, ensure_ascii=False), file=f)


note('environment', {k: v for k, v in sorted(os.environ.items()) if k.startswith('SUPERVISOR_')})
while True:
    headers, payload = childutils.listener.wait()
    serial = headers.pop('serial')  # the ticks, which come when they come, have numbers too
    values, *data = childutils.eventdata(payload) if '\n' in payload else [childutils.get_headers(payload)]
    if 'when' in values:
        values['when'] = int(values['when']) % int(headers['eventname'][len('TICK_'):])
    headers['len'] = int(headers['len']) - len(payload)
    note(headers, values, *data)
    if 'type:ask\n' in payload:
        note(rpc.supervisor.getState(), rpc.supervisor.getProcessInfo('recorder')['statename'], rpc.supervisor.getIdentification())
    first = serial not in rejected
    rejected.add(serial)
    if first and 'type:fail\n' in payload:
        childutils.listener.fail()
    elif first and 'type:unheard\n' in payload:
        childutils.listener.send('unheard of')
    elif first and 'type:long\n' in payload:
        childutils.listener.send('x' * 100000)
    else:
        childutils.listener.ok()
