package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// loadWeb loads a program with these options.
func loadWeb(t *testing.T, options string) (*Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "supervisord.conf")
	must(t, os.WriteFile(file, []byte("[supervisord]\n[program:web]\ncommand=web\n"+options), 0o600))
	return Load(file, nil, nil)
}

func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		options string
		want    Patience
	}{
		{"", Patience{LimitSecs: 10}},
		{"startretries=-1\n", Patience{MaxDelaySecs: 60, ResetSecs: 120, LimitSecs: 10}},
		{"restartsecs=2\n", Patience{RestartSecs: 2, MaxDelaySecs: 60, ResetSecs: 120, LimitSecs: 10}},
		{"restartsecs=90\n", Patience{RestartSecs: 90, MaxDelaySecs: 90, ResetSecs: 180, LimitSecs: 10}},
		{"restartsecs=2\nrestartmaxdelaysecs=5\nrestartresetsecs=7\nstartlimitburst=3\nstartlimitintervalsecs=60\nfatalretrysecs=300\n", Patience{2, 5, 7, 3, 60, 300}},
	} {
		cfg, err := loadWeb(t, tt.options)
		must(t, err)
		if got := cfg.Groups[0].Processes[0].Patience; got != tt.want {
			t.Errorf("%q: got %+v, want %+v", tt.options, got, tt.want)
		}
	}
	for options, want := range map[string]string{
		"restartsecs=-1\n":                              "it can't be negative",
		"fatalretrysecs=soon\n":                         "use a whole number of seconds",
		"restartsecs=9\nrestartmaxdelaysecs=5\n":        "can't be shorter than the first one, restartsecs=9",
		"startlimitburst=9\nstartlimitintervalsecs=0\n": "above 0",
	} {
		if _, err := loadWeb(t, options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", options, err, want)
		}
	}
}

func TestStopSignals(t *testing.T) {
	for options, want := range map[string]Process{
		"":                                   {StopSignal: syscall.SIGTERM, StopWaitSecs: 10},
		"stopsignals=TERM:60, INT:5, KILL\n": {StopSignal: syscall.SIGTERM, StopWaitSecs: 60, StopMore: []StopStep{{syscall.SIGINT, 5}}},
		"stopsignals=int,15:0,sigquit\n":     {StopSignal: syscall.SIGINT, StopWaitSecs: 10, StopMore: []StopStep{{syscall.SIGTERM, 0}, {syscall.SIGQUIT, 10}}},
		"stopsignals=TERM:3,KILL\nstopsignal=QUIT\nstopwaitsecs=99\n": {StopSignal: syscall.SIGTERM, StopWaitSecs: 3},
		"stopsignals=KILL\n":        {StopSignal: syscall.SIGKILL, StopWaitSecs: 10},
		"stopsignals=TERM:3,KILL\n": {StopSignal: syscall.SIGTERM, StopWaitSecs: 3},
	} {
		cfg, err := loadWeb(t, options)
		must(t, err)
		got := cfg.Groups[0].Processes[0]
		if got.StopSignal != want.StopSignal || got.StopWaitSecs != want.StopWaitSecs || !slices.Equal(got.StopMore, want.StopMore) {
			t.Errorf("%q: got %v %d %v", options, got.StopSignal, got.StopWaitSecs, got.StopMore)
		}
	}
	for options, want := range map[string]string{
		"stopsignals=TERM:60, KILL, INT\n": "nothing comes after KILL",
		"stopsignals=TERM:60, KILL:5\n":    "nothing comes after KILL",
		"stopsignals=TERM:-1\n":            "it can't be negative",
		"stopsignals=TERM,,INT\n":          "value '' is not a valid signal name",
		"stopsignals=WHAT\n":               "'WHAT' is not a valid signal name",
	} {
		if _, err := loadWeb(t, options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", options, err, want)
		}
	}
}
