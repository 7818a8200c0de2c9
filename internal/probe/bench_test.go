package probe

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

// What a check costs us; the server is another process. µs-cpu is the processor's time of a check, most of it the
// kernel's: a thousand programs with a check a second take a thousand times that of each second.
//
//	go test -run - -bench . ./internal/probe
func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	server := exec.Command("/proc/self/exe")
	server.Env = append(os.Environ(), "PROBE_TEST_SERVE="+dir)
	end, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	said, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer server.Wait()
	defer end.Close()
	lines := bufio.NewReader(said)
	var urls [2]string
	for i := range urls {
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		urls[i] = strings.TrimSpace(line)
	}
	for name, c := range map[string]*config.Check{
		"HTTP":  {Kind: config.CheckHTTP, Target: urls[0], HTTP: config.HTTPCheck{Body: "ok"}},
		"HTTPS": {Kind: config.CheckHTTP, Target: urls[1], HTTP: config.HTTPCheck{Body: "ok", CAFile: filepath.Join(dir, "ca.pem")}},
		"TCP":   {Kind: config.CheckTCP, Target: strings.TrimPrefix(urls[0], "http://")},
		"File":  {Kind: config.CheckFile, Target: dir},
	} {
		c.TimeoutSecs = 10
		b.Run(name, func(b *testing.B) {
			var p Prober
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				if err := p.Do(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "µs-cpu")
		})
	}
}

func cpuTime() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// serve is the server: it says where it is, and ends with its stdin.
func serve(dir string) {
	ca := newAuthority(&testing.B{}, "bench") // it fails for nothing
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), certPEM(ca.cert.Raw), 0o600); err != nil {
		panic(err)
	}
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	plain, secure := httptest.NewServer(ok), httptest.NewUnstartedServer(ok)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{ca.leaf(nil)}}
	secure.StartTLS()
	fmt.Println(plain.URL)
	fmt.Println(secure.URL)
	io.ReadAll(os.Stdin)
}
