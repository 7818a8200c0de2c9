package clients

import "testing"

const talker = `
[program:talker]
command=/bin/sh -c "echo hello é中; echo oh é中 >&2; exec /bin/sed -u 's/^/heard /'"
startsecs=0
stdout_logfile=$DIR/talker.out
stderr_logfile=$DIR/talker.err
`

// TestShell has somebody sit at the original's supervisorctl; package ctl has ours.
func TestShell(t *testing.T) {
	t.Parallel()
	for name, url := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, s side) string {
				d := s.start(t, services+talker)
				awaitText(t, d.dir+"/talker.err", "oh")
				return d.output(t, nil, python, "-u", "testdata/shell.py", original.ctl, "-c", d.dir+"/supervisord.conf", "-s", url(d))
			}, "RUNNING", "Shut down", "status 0")
		})
	}
}
