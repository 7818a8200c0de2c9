package config

import (
	"regexp"
	"strings"
	"testing"
)

func TestSampleLoads(t *testing.T) {
	cfg := loadGood(t, Sample, "HOME=/")
	if len(cfg.Servers) != 1 || cfg.Servers[0].Address != "/tmp/supervisor.sock" || len(cfg.RPCInterfaces) != 1 || len(cfg.Groups) != 0 {
		t.Errorf("got %+v", cfg)
	}
	dir := write(t, map[string]string{"c": Sample})
	c, err := LoadCtl(dir + "/c")
	if err != nil || c.ServerURL != "unix:///tmp/supervisor.sock" || c.Prompt != "supervisor" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestSampleSwitchedOn takes the ; from every option: the sample holds good values only.
func TestSampleSwitchedOn(t *testing.T) {
	on := regexp.MustCompile(`(?m)^;(\S+ ?=|\[)`).ReplaceAllString(Sample, "$1")
	on = strings.Replace(on, "process_name=%(program_name)s ", "process_name=%(program_name)s_%(process_num)02d ", 1)
	on = strings.Replace(on, "\nreload_signal=", "\n;reload_signal=", 1) // it is one of two
	on += "[program:a]\ncommand=x\n[program:b]\ncommand=x\n"
	if cfg := loadGood(t, on, "HOME=/"); len(cfg.Groups) != 4 {
		t.Errorf("got groups %v", names(cfg.Groups))
	}
}

// TestSampleIsComplete holds the sample to the tables: every option is there, with its default.
func TestSampleIsComplete(t *testing.T) {
	sampled(t, "unix_http_server", unixOptions, "")
	sampled(t, "inet_http_server", inetOptions, "")
	sampled(t, "supervisord", supervisordOptions, "logfile pidfile")
	sampled(t, "supervisord", globalEnvironmentOption, "environment")
	sampled(t, "supervisorctl", ctlOptions, "")
	sampled(t, "program:NAME", programOptions, "")
	sampled(t, "program:NAME", environmentOption, "environment")
	sampled(t, "program:NAME", processOptions, "")
	sampled(t, "group:NAME", groupOptions, "")
	sampled(t, "group:NAME", memberOptions, "")
	sampled(t, "eventlistener:NAME", listenerOptions, "events")
	sampled(t, "fcgi-program:NAME", fcgiOptions, "")
	for section, option := range map[string]string{"include": "files", "rpcinterface:supervisor": factoryOption, "fcgi-program:NAME": "socket"} {
		if !regexp.MustCompile(`(?m)^;?` + regexp.QuoteMeta(option) + ` ?=`).MatchString(sampleSection(section)) {
			t.Errorf("[%s] lacks %s", section, option)
		}
	}
}

// sampled checks a table. The options in examples are shown with an example.
func sampled[T any](t *testing.T, section string, table []option[T], examples string) {
	t.Helper()
	text := sampleSection(section)
	for _, o := range table {
		if section == "fcgi-program:NAME" && o.name == "user" {
			continue // a program's, read once more for the socket
		}
		value := regexp.QuoteMeta(o.preset) + `( |$)`
		if o.unset || strings.Contains(" "+examples+" ", " "+o.name+" ") {
			value = `\S`
		}
		if !regexp.MustCompile(`(?m)^;?` + o.name + `=` + value).MatchString(text) {
			t.Errorf("[%s] of the sample lacks %s=%s", section, o.name, o.preset)
		}
	}
}

// sampleSection is the sample from the section's header to the next.
func sampleSection(name string) string {
	_, text, _ := strings.Cut(Sample, "["+name+"]\n")
	if i := regexp.MustCompile(`(?m)^;?\[`).FindStringIndex(text); i != nil {
		text = text[:i[0]]
	}
	return text
}
