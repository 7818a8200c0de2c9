"""Calls every method of the API, well and badly, and prints what comes back, a line of JSON a call.

usage: methods.py SERVERURL USER PASSWORD CONFIGDIR
"""
import http.client
import json
import os
import re
import signal
import sys
import time
import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from supervisor.xmlrpc import SupervisorTransport

url, user, password, conf = sys.argv[1:]


def connect(user=user, password=password):
    return xmlrpc.client.ServerProxy('http://127.0.0.1', SupervisorTransport(user, password, url))


server = connect()
called = set()
connections = 0
plain_connect = http.client.HTTPConnection.connect


def show(*what):
    print(json.dumps(what, ensure_ascii=False, default=lambda o: type(o).__name__))


def common(result):
    """Takes out the methods that only one daemon has."""
    if isinstance(result, list):
        return [common(r) for r in result if not str(r).startswith('holdfast.')]
    return result


def ask(method, *args, on=None):
    """Returns what comes back as something that JSON can say."""
    called.add(method)
    try:
        return common(getattr(on or server, method)(*args))
    except xmlrpc.client.Fault as e:
        return {'fault': e.faultCode, 'string': e.faultString}
    except xmlrpc.client.ProtocolError as e:
        return {'http': e.errcode, 'reason': e.errmsg}
    except (OSError, http.client.HTTPException):
        (on or server)('close')()
        return 'no connection'


def call(method, *args, but=lambda result: result, on=None):
    """Shows a call; but takes out what is another at each run."""
    result = but(ask(method, *args, on=on))
    show(method, [str(a) for a in args] if method == 'system.multicall' else args, result)
    return result


def until(want, method, *args, but=lambda result: result):
    """Shows a call when it gives what is wanted; till then it is repeated."""
    while True:
        result = but(ask(method, *args))
        if want(result):
            return show(method, args, result)
        time.sleep(.02)


def info(i):
    """An info without its times and numbers of processes."""
    if isinstance(i, dict) and 'pid' in i:
        for key in 'start', 'stop', 'now', 'pid':
            i[key] = '%s %s' % (type(i[key]).__name__, i[key] > 0)
    return i


def infos(all):
    return [info(i) for i in all]


def config(all):
    """The configurations as 4.2 tells them; docs/differences.md has the rows "AUTO log names in
    getAllConfigInfo" and "getAllConfigInfo with autorestart=true"."""
    for c in all:
        c.pop('autorestart', None)
        for key in 'stdout_logfile', 'stderr_logfile':
            if '---supervisor-' in c[key]:
                c[key] = 'auto'
    return all


def refused(result):
    """The row "an argument of the wrong type": how it is refused differs."""
    return 'refused' if isinstance(result, dict) and ('http' in result or 'fault' in result) else result


def sorted_results(results):
    """Who is ready first is chance."""
    return sorted(results, key=lambda r: (r['group'], r['name'])) if isinstance(results, list) else results


def state(name, wanted):
    until(lambda i: i['statename'] == wanted, 'supervisor.getProcessInfo', name, but=info)


def write(name, text):
    with open(os.path.join(conf, name), 'w') as f:
        f.write(text)


def count_connections(connection):
    global connections
    connections += 1
    plain_connect(connection)


http.client.HTTPConnection.connect = count_connections

state('web:a', 'RUNNING')
state('talker', 'RUNNING')
state('slow', 'STARTING')
state('gone', 'EXITED')
state('fatal', 'FATAL')
until(lambda text: text.endswith('\n'), 'supervisor.readProcessStdoutLog', 'talker', 0, 0)
until(lambda text: text.endswith('\n'), 'supervisor.readProcessStderrLog', 'talker', 0, 0)

show('--- system')
methods = call('system.listMethods')
for method in methods + ['nosuch', 'supervisor.nosuch', '']:
    call('system.methodSignature', method)
    call('system.methodHelp', method, but=lambda help: help if isinstance(help, dict) else type(help).__name__)
call('system.nosuch')
call('supervisor._getAllProcesses')
call('nosuch.getState')
call('getState')
call('system.listMethods', 1)

show('--- too few and too many arguments')
for method in methods:
    if method != 'system.multicall':
        call(method, 1, 2, 3, 4, 5)
for method in methods:
    if any(word in method for word in ('Process', 'read', 'send', 'method')) and 'All' not in method:
        call(method)

show('--- the supervisor')
call('supervisor.getAPIVersion')
call('supervisor.getVersion')
# The row "version".
call('supervisor.getSupervisorVersion', but=lambda version: version[:2])
call('supervisor.getIdentification')
call('supervisor.getState')
call('supervisor.getPID', but=lambda pid: '%s %s' % (type(pid).__name__, pid > 1))
call('supervisor.clearLog')
call('supervisor.signalProcess', 'gone', 'HUP')
call('supervisor.stopProcess', 'cat')
# Whether it has to wait is chance.
until(lambda log: 'stopped: cat' in log, 'supervisor.readLog', 0, 0, but=lambda log: re.sub('.*waiting for cat.*\\n', '', log))
call('supervisor.startProcess', 'cat')
call('supervisor.readLog', 4, 1)
call('supervisor.readLog', -1, 0)
call('supervisor.readLog', 1 << 30, 1)
for bad in (-1, 1), (0, -1), (-1, -1):
    call('supervisor.readLog', *bad)
    call('supervisor.readMainLog', *bad)

show('--- infos')
call('supervisor.getAllProcessInfo', but=infos)
call('supervisor.getAllConfigInfo', but=config)
for name in 'cat', 'web:a', 'web:b_01', 'é中', 'nosuch', 'web', 'web:*', 'web:', 'web:nosuch', 'nosuch:a', '', ':', '*', 'a:b:c':
    call('supervisor.getProcessInfo', name, but=info)

show('--- start and stop')
for name in 'cat', 'idle', 'nosuch', 'nosuch:*', 'web:nosuch', 'web', 'fatal', 'plain', 'crash', 'web:b_00', 'web:*', '', ':', ':*', 'é中':
    call('supervisor.startProcess', name)
call('supervisor.startProcess', 'web:b_00', False)
call('supervisor.startProcess', 'slow', 0)
for name in 'nosuch', 'idle', 'web', 'web:*', '', ':':
    call('supervisor.startProcessGroup', name, but=sorted_results)
for name in 'idle', 'nosuch', 'nosuch:*', 'web:nosuch', 'web', 'web:a', 'gone', '', ':', ':*', 'é中':
    call('supervisor.stopProcess', name)
call('supervisor.stopProcess', 'web:*', but=sorted_results)
call('supervisor.stopProcess', 'web:*')
call('supervisor.startProcess', 'web:', but=sorted_results)
for name in 'web', 'web', 'nosuch', 'idle', '', ':':
    call('supervisor.stopProcessGroup', name, but=sorted_results)
call('supervisor.startProcessGroup', 'web', False, but=sorted_results)
state('web:a', 'RUNNING')
call('supervisor.stopProcess', 'web:a', False)
state('web:a', 'STOPPED')
with ThreadPoolExecutor() as others:
    call('supervisor.stopProcess', 'slow')
    starting = others.submit(ask, 'supervisor.startProcess', 'slow', on=connect())
    until(lambda i: i['statename'] == 'STARTING' and i['pid'] == 'int True', 'supervisor.getProcessInfo', 'slow', but=info)
    call('supervisor.stopProcess', 'slow')
    show('stopped while starting', starting.result())

show('--- signals')
for name, sig in ('cat', 'URG'), ('cat', 'SIGURG'), ('cat', 'urg'), ('cat', '23'), ('cat', 23), ('cat', 'NOSUCH'), ('cat', 0), \
        ('idle', 'URG'), ('nosuch', 'URG'), ('nosuch', 'NOSUCH'), ('nosuch:*', 'URG'), (':', 'URG'), ('web:*', 'NOSUCH'), ('web:*', 'URG'), ('web', 'URG'), ('cat', ''):
    call('supervisor.signalProcess', name, sig)
for name, sig in ('web', 'URG'), ('web', 'NOSUCH'), ('idle', 'URG'), ('nosuch', 'URG'), ('', 'URG'):
    call('supervisor.signalProcessGroup', name, sig, but=sorted_results)
call('supervisor.signalAllProcesses', 'URG', but=sorted_results)
call('supervisor.signalAllProcesses', 'NOSUCH', but=sorted_results)
old = server.supervisor.getProcessInfo('cat')['pid']
call('supervisor.signalProcess', 'cat', 'TERM')
while server.supervisor.getProcessInfo('cat')['pid'] in (0, old):
    time.sleep(.02)
state('cat', 'RUNNING')

show('--- stdin and logs')
call('supervisor.sendProcessStdin', 'cat', 'héllo 中 <&> 😀\n')
until(lambda text: text.endswith('\n'), 'supervisor.readProcessStdoutLog', 'cat', 0, 0)
for name in 'nosuch', 'idle', 'web:*', 'web':
    call('supervisor.sendProcessStdin', name, 'x')
call('supervisor.sendProcessStdin', 'cat', '')
for read in 'readProcessStdoutLog', 'readProcessLog', 'readProcessStderrLog':
    for name, offset, length in ('talker', 0, 0), ('talker', 4, 3), ('talker', -5, 0), ('talker', 99, 1), ('talker', -1, 1), ('talker', 0, -1), \
            ('nosuch', 0, 0), ('web:*', 0, 0), ('web', 0, 0), ('gone', 0, 0), ('idle', 0, 0), ('silent', 0, 0):
        call('supervisor.' + read, name, offset, length)
for tail in 'tailProcessStdoutLog', 'tailProcessLog', 'tailProcessStderrLog':
    for name, offset, length in ('talker', 0, 0), ('talker', 0, 100), ('talker', 13, 5), ('talker', 2, 3), ('talker', 99, 4), ('talker', 4, 99), \
            ('nosuch', 0, 0), ('web:*', 0, 0), ('web', 0, 0), ('idle', 0, 10), ('silent', 0, 10):
        call('supervisor.' + tail, name, offset, length)
for clear in 'clearProcessLogs', 'clearProcessLog':
    for name in 'talker', 'talker', 'idle', 'silent', 'nosuch', 'web', 'web:*':
        call('supervisor.' + clear, name)
    call('supervisor.readProcessStdoutLog', 'talker', 0, 0)
# The original can't say such a name in an answer that had to wait, as those about all will have to.
call('supervisor.removeProcessGroup', 'é中')
call('supervisor.clearAllProcessLogs', but=sorted_results)
call('supervisor.readProcessStdoutLog', 'cat', 0, 0)
call('supervisor.sendRemoteCommEvent', 'täg', 'dätä 中\n')
call('supervisor.sendRemoteCommEvent', 7, True)

show('--- arguments of the wrong type')
for wrong in 7, -1.5, True, ['cat'], {'cat': 1}, xmlrpc.client.DateTime(0), xmlrpc.client.Binary(b'x'):
    call('supervisor.getProcessInfo', wrong, but=refused)
    call('supervisor.startProcess', wrong, but=refused)
    call('supervisor.startProcess', 'idle', wrong, but=refused)
    call('supervisor.stopProcess', 'idle', wrong, but=refused)
    call('supervisor.startProcessGroup', wrong, but=refused)
    call('supervisor.stopProcessGroup', wrong, but=refused)
    call('supervisor.signalProcess', wrong, 'URG', but=refused)
    call('supervisor.addProcessGroup', wrong, but=refused)
    call('supervisor.removeProcessGroup', wrong, but=refused)
    call('supervisor.readProcessStdoutLog', 'talker', wrong, 0, but=refused)
    call('supervisor.readProcessStdoutLog', 'talker', 0, wrong, but=refused)
    call('supervisor.tailProcessStdoutLog', 'talker', wrong, wrong, but=refused)
    call('supervisor.clearProcessLogs', wrong, but=refused)
    call('supervisor.sendProcessStdin', 'silent', wrong, but=refused)
    call('supervisor.sendProcessStdin', wrong, 'x', but=refused)
    call('system.methodHelp', wrong, but=refused)
    call('system.methodSignature', wrong, but=refused)
for number in '0', ' 2 ', '', 'x':
    call('supervisor.tailProcessStdoutLog', 'talker', number, number, but=refused)
for wrong in 7, 'x', {}, ['x']:
    call('system.multicall', wrong, but=lambda result: 'refused' if isinstance(result, list) and result[0]['faultCode'] else refused(result))

show('--- groups')
call('supervisor.reloadConfig')
for name in 'cat', 'nosuch', '':
    call('supervisor.addProcessGroup', name)
    call('supervisor.removeProcessGroup', name)
write('more.ini', '[program:new]\ncommand=/bin/sleep 1000\nstartsecs=0\n[program:nœuf]\ncommand=/bin/sleep 1000\nautostart=false\n')
call('supervisor.reloadConfig')
call('supervisor.addProcessGroup', 'new')
call('supervisor.addProcessGroup', 'new')
call('supervisor.addProcessGroup', 'nœuf')
state('new', 'RUNNING')
call('supervisor.removeProcessGroup', 'new')
write('more.ini', '[program:new]\ncommand=/bin/sleep 2000\nstartsecs=0\n')
call('supervisor.reloadConfig')
call('supervisor.removeProcessGroup', 'nœuf')
call('supervisor.stopProcessGroup', 'new')
call('supervisor.removeProcessGroup', 'new')
call('supervisor.getProcessInfo', 'new')
write('more.ini', '[program:new]\n')
# The row "errors".
call('supervisor.reloadConfig', but=lambda e: [e['fault'], re.findall('CANT_REREAD: |program section program:new does not specify a command', e['string'])])
os.remove(os.path.join(conf, 'more.ini'))
call('supervisor.reloadConfig')

show('--- multicall')
call('system.multicall', [])
call('system.multicall', [
    {'methodName': 'supervisor.stopProcess', 'params': ['cat']},
    {'methodName': 'supervisor.getState', 'params': []},
    {'methodName': 'supervisor.startProcess', 'params': ['cat']},
    {'methodName': 'supervisor.startProcess', 'params': ['cat']},
    {'methodName': 'supervisor.stopProcessGroup', 'params': ['cat']},
    {'methodName': 'supervisor.startProcessGroup', 'params': ['cat', True]},
    {'methodName': 'supervisor.startProcess', 'params': ['crash']},
    {'methodName': 'supervisor.getAPIVersion'},
    {'methodName': 'supervisor.nosuch', 'params': []},
    {'methodName': 'supervisor.getState', 'params': [1]},
    {'methodName': 'system.multicall', 'params': [[]]},
    {'methodName': 'system.listMethods', 'params': []},
    {'methodName': 'supervisor.sendRemoteCommEvent', 'params': ['é', '中']},
    {'params': []},
    {},
])
multi = xmlrpc.client.MultiCall(server)
multi.supervisor.getVersion()
multi.supervisor.startProcess('idle')
multi.supervisor.stopProcess('idle')
multi.supervisor.stopProcess('idle')
show('MultiCall', multi().results)

show('--- all of them')
call('supervisor.stopAllProcesses', but=sorted_results)
call('supervisor.stopAllProcesses', but=sorted_results)
call('supervisor.startProcess', 'pacer')
call('supervisor.removeProcessGroup', 'slow')
call('supervisor.removeProcessGroup', 'gone')
call('supervisor.startAllProcesses', but=sorted_results)
call('supervisor.stopAllProcesses', False, but=sorted_results)
for name in 'cat', 'talker', 'web:a', 'pacer':
    state(name, 'STOPPED')
call('supervisor.startProcess', 'pacer')

show('--- one connection for many calls')
proxies = [server]
if url.startswith('http:'):
    # The one that everybody uses.
    proxies.append(xmlrpc.client.ServerProxy(url.replace('//', '//%s:%s@' % (quote(user), quote(password))) + '/RPC2'))
for proxy in proxies:
    proxy('close')()
    connections = 0
    for i in range(10):
        call('supervisor.startProcess', 'idle', on=proxy)
        call('supervisor.startProcess', 'nosuch', on=proxy)
        call('supervisor.stopProcess', 'idle', on=proxy)
        call('supervisor.getProcessInfo', 'idle', but=info, on=proxy)
    show('connections', connections)
for proxy in connect(user, 'wrong'), connect('wrong', password), connect('', ''), connect(None, None):
    for i in range(2):
        call('supervisor.getIdentification', on=proxy)

show('--- restart and shutdown')
write('more.ini', r"""
[program:stubborn]
command=/bin/sh -c "trap '' TERM; echo ready; exec /bin/sleep 1000"
startsecs=0
autostart=false
stdout_logfile=%(here)s/stubborn.log
stopwaitsecs=30
""")
call('supervisor.reloadConfig')
call('supervisor.addProcessGroup', 'stubborn')
some = {'string': 'cat', 'int': 0, 'boolean': True, 'array': [{'methodName': 'supervisor.getState', 'params': []}]}
arguments = {m: [some[t] for t in ask('system.methodSignature', m)[1:]] for m in methods}
for n, end in enumerate(('restart', 'shutdown'), 1):
    call('supervisor.startProcess', 'stubborn')
    until(lambda text: text == n * 'ready\n', 'supervisor.readProcessStdoutLog', 'stubborn', 0, 0)
    stubborn = server.supervisor.getProcessInfo('stubborn')['pid']
    call('supervisor.' + end)
    for method in methods:
        call(method, *arguments[method], but=lambda help: 'help' if method == 'system.methodHelp' else help)
    os.kill(stubborn, signal.SIGKILL)
    while end == 'restart' and 'statecode' not in ask('supervisor.getState'):
        time.sleep(.02)
while ask('supervisor.getState') != 'no connection':
    time.sleep(.02)
call('supervisor.getState')

show('--- never called', sorted(set(methods) - called))
