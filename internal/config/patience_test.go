package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPatience(t *testing.T) {
	load := func(options string) (*Config, error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "supervisord.conf")
		must(t, os.WriteFile(file, []byte("[supervisord]\n[program:web]\ncommand=web\n"+options), 0o600))
		return Load(file, nil, nil)
	}
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
		cfg, err := load(tt.options)
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
		if _, err := load(options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", options, err, want)
		}
	}
}
