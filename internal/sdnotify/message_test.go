package sdnotify

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	for _, row := range []struct {
		name, datagram string
		want           Message
	}{
		{"ready", "READY=1", Message{Ready: true}},
		{"with a line feed, and a NUL as C strings have", "READY=1\n\x00", Message{Ready: true}},
		{"several at once", "READY=1\nSTATUS=serving 3 peers\nMAINPID=4711\n",
			Message{Ready: true, Status: "serving 3 peers", StatusSet: true, MainPID: 4711}},
		{"a status may have an equals sign", "STATUS=a=b", Message{Status: "a=b", StatusSet: true}},
		{"an empty status takes the last one away", "STATUS=", Message{StatusSet: true}},
		{"control characters do nothing to a terminal", "STATUS=\x1b[31mred\tand\r", Message{Status: "[31mred and", StatusSet: true}},
		{"nor do those that turn a line around or end it", "STATUS=a\u202eb\u2028c\u00a0d é 漢", Message{Status: "a b c d é 漢", StatusSet: true}},
		{"reloading and stopping", "RELOADING=1\nMONOTONIC_USEC=17\nSTOPPING=1", Message{Reloading: true, Stopping: true}},
		{"alive", "WATCHDOG=1", Message{Alive: true}},
		{"hung", "WATCHDOG=trigger", Message{Hung: true}},
		{"another watchdog time", "WATCHDOG_USEC=1500000", Message{Watchdog: 1500 * time.Millisecond}},
		{"more time", "EXTEND_TIMEOUT_USEC=20", Message{ExtendTimeout: 20 * time.Microsecond}},
		{"time without end", "EXTEND_TIMEOUT_USEC=18446744073709551615", Message{ExtendTimeout: math.MaxInt64 / 1000 * time.Microsecond}},
		{"errors", "ERRNO=2\nBUSERROR=org.example.Failed", Message{Errno: 2, BusError: "org.example.Failed"}},
		{"of the same name the last good one counts", "ERRNO=2\nERRNO=3\nERRNO=x\nREADY=1\nREADY=0", Message{Errno: 3, Ready: true}},
		{"what is not for us", "FDSTORE=1\nFDNAME=x\nBARRIER=1\nX_MINE=1\nNOTIFYACCESS=all", Message{}},
		{"bad values", "READY=yes\nREADY\nMAINPID=-4\nMAINPID=1\nMAINPID=99999999999\nERRNO=0\nWATCHDOG_USEC=0\nEXTEND_TIMEOUT_USEC=1s\nWATCHDOG=\nSTATUS=\xff", Message{}},
		{"a bad line spoils no other", "\n=\n==\nMAINPID=x\nREADY=1", Message{Ready: true}},
		{"names have their case, and no blanks", "ready=1\n READY=1\nREADY =1", Message{}},
		{"a NUL within", "READY=1\x00STATUS=x", Message{}},
		{"nothing", "", Message{}},
		{"too long", "READY=1\nSTATUS=" + strings.Repeat("x", MaxSize), Message{}},
	} {
		if got := Parse([]byte(row.datagram)); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=a\tb\nMAINPID=7\nERRNO=2\nBUSERROR=x\nWATCHDOG=1\nWATCHDOG_USEC=3\nEXTEND_TIMEOUT_USEC=4"))
	f.Add([]byte("WATCHDOG=trigger\nRELOADING=1\nSTOPPING=1\x00"))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		m := Parse(datagram)
		if m.MainPID < 0 || m.Errno < 0 || m.Watchdog < 0 || m.ExtendTimeout < 0 {
			t.Errorf("negative: %+v", m)
		}
		for _, text := range []string{m.Status, m.BusError} {
			if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("no plain text: %q", text)
			}
		}
		if len(datagram) < MaxSize && !strings.HasSuffix(string(datagram), "\x00") {
			if again := Parse(append([]byte("UNKNOWN=x\n"), datagram...)); len(datagram)+10 <= MaxSize && again != m {
				t.Errorf("with a line before it: %+v, want %+v", again, m)
			}
		}
	})
}
