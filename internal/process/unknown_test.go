package process

import "testing"

func TestUnknownEndIsUnexpected(t *testing.T) {
	p := &Program{Name: "web", AutoRestart: RestartUnexpected, ExitCodes: []int{0}}
	r, do := Step(p, Record{State: Running, PID: 5}, Ended{Status: ExitStatus{Unknown: true}}, t0)
	if r.State != Starting || do[0].(Log).Text != "exited: web (exit status unknown; not expected)" {
		t.Errorf("got %+v, %v", r, do)
	}
	if r.Exit = (&ExitStatus{Unknown: true}); r.ExitCode() != -1 {
		t.Errorf("exit code %d", r.ExitCode())
	}
}
