package survive

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/dlog"
)

// What a line costs whoever logs it, and the writer, with the journal and without.
func BenchmarkLog(b *testing.B) {
	for _, with := range []bool{false, true} {
		name := "without"
		if with {
			name = "with"
		}
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			s, err := Open(filepath.Join(dir, "x.state"), header)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			o := dlog.Options{File: filepath.Join(dir, "log"), Level: dlog.Info}
			if with {
				o.Journal = s
			}
			l, err := dlog.New(o)
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close(time.Minute)
			log := slog.New(l.Logger().Handler())
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				log.Info("spawned: 'web' with pid 42")
				if n++; n%1000 == 0 {
					l.Flush(time.Minute) // else most would be dropped
				}
			}
		})
	}
}
