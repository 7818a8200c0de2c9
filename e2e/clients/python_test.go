package clients

import "testing"

const python = "/usr/bin/python3"

// programs has a process in each state that lasts. About stopsignal see services.
const programs = `
[group:web]
programs=a,b
[program:a]
command=/bin/sleep 1000
stopsignal=KILL
startsecs=0
[program:b]
command=/bin/sleep 1000
stopsignal=KILL
startsecs=0
numprocs=2
process_name=%(program_name)s_%(process_num)02d
autostart=false
priority=7

[program:cat]
command=/bin/cat
stopsignal=KILL
startsecs=0
autorestart=true
stdout_logfile=$DIR/cat.log
stderr_logfile=NONE
priority=5

[program:talker]
command=/bin/sh -c "echo one two é three; echo four >&2; exec /bin/sleep 1000"
stopsignal=KILL
startsecs=0
stdout_logfile=$DIR/talker.out
stderr_logfile=$DIR/talker.err

[program:silent]
command=/bin/sleep 1000
stopsignal=KILL
startsecs=0
stdout_logfile=NONE
redirect_stderr=true

[program:slow]
command=/bin/sleep 1000
stopsignal=KILL
startsecs=1000

[program:idle]
command=/bin/sleep 1000
stopsignal=KILL
startsecs=0
autostart=false

[program:é中]
command=/bin/sleep 1000
stopsignal=KILL
autostart=false

[program:gone]
command=/bin/true
startsecs=0
autorestart=false
startretries=0

[program:fatal]
command=/no/such/file
startretries=0

[program:plain]
command=/etc/passwd
autostart=false

[program:crash]
command=/bin/sh -c "exit 3"
startsecs=1
startretries=0
autostart=false
` + pacer

// TestXMLRPC has Python's own client, with the transport of the original and with that which comes with it.
func TestXMLRPC(t *testing.T) {
	t.Parallel()
	for name, url := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, s side) string {
				d := s.start(t, programs)
				return d.output(t, nil, python, "-u", "testdata/methods.py", url(d), user, password, d.dir+"/conf.d")
			}, `["supervisor.getState", [], {"statecode": 1, "statename": "RUNNING"}]`, `["--- never called", []]`)
		})
	}
}
