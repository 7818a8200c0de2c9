package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

// TestMain is also the server of the benchmarks, whose time must not count.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PROBE_TEST_SERVE"); dir != "" {
		serve(dir)
		return
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "16") // of those that wait for a timeout
	}
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil { // so that what is there once for all is there
		l.Close()
	}
	os.Exit(m.Run())
}

// bound is how long a broken test takes to fail.
const bound = 20 * time.Second

// slack is what a loaded machine may add to a timeout.
const slack = 3 * time.Second

// noLeaks holds what a test does to leaving no goroutine and no file behind.
func noLeaks(t *testing.T) {
	t.Helper()
	count := func() (int, int) {
		fds, _ := os.ReadDir("/proc/self/fd")
		return len(fds), runtime.NumGoroutine()
	}
	fds, goroutines := count()
	t.Cleanup(func() {
		for deadline := time.Now().Add(bound); ; time.Sleep(5 * time.Millisecond) {
			f, g := count()
			if f <= fds && g <= goroutines {
				return
			}
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d files and %d goroutines, there were %d and %d\n%s", f, g, fds, goroutines, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// check is an HTTP check of a second.
func check(url string) *config.Check {
	return &config.Check{Kind: config.CheckHTTP, Target: url, TimeoutSecs: 1}
}

// want holds the outcome of a check to a text; empty: success.
func want(t *testing.T, p *Prober, c *config.Check, text string) {
	t.Helper()
	begin := time.Now()
	err := p.Do(t.Context(), c)
	if took := time.Since(begin); took > time.Duration(c.TimeoutSecs)*time.Second+slack {
		t.Errorf("it took %v", took)
	}
	if got := fmt.Sprint(err); err == nil && text != "" || err != nil && got != text {
		t.Errorf("got %v, want %q", err, text)
	}
}

// answering is a server that treats each connection so. It is gone when the test ends, and so are its connections.
func answering(t *testing.T, network, address string, f func(c net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("cannot listen on %s: %v", address, err)
	}
	end := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { <-end; c.Close() }()
			go f(c)
		}
	}()
	t.Cleanup(func() {
		close(end)
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// readRequest returns when the whole of a request is there.
func readRequest(c net.Conn) string {
	var all []byte
	for buf := make([]byte, 1024); !strings.Contains(string(all), "\r\n\r\n"); {
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			break
		}
	}
	return string(all)
}

// saying is a server that answers with a text and closes the connection.
func saying(t *testing.T, text string) (url string) {
	return "http://" + answering(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, text)
		c.Close()
	})
}

// An authority makes certificates.
type authority struct {
	tb   testing.TB
	dir  string // of its files
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB, name string) *authority {
	a := &authority{tb: tb}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	a.key = newKey(tb)
	a.cert = sign(tb, template, template, &a.key.PublicKey, a.key)
	return a
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func sign(tb testing.TB, template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

// leaf makes a certificate for 127.0.0.1, unless change says otherwise.
func (a *authority) leaf(change func(*x509.Certificate)) tls.Certificate {
	a.tb.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(template)
	}
	key := newKey(a.tb)
	cert := sign(a.tb, template, a.cert, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// file writes the authority's certificate.
func (a *authority) file() string { return a.write("ca.pem", certPEM(a.cert.Raw)) }

func (a *authority) write(name string, text []byte) string {
	a.tb.Helper()
	if a.dir == "" {
		a.dir = a.tb.TempDir()
	}
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		a.tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		a.tb.Fatal(err)
	}
	return path
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(tb testing.TB, c tls.Certificate) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// tlsServer answers "ok" with a certificate.
func tlsServer(t *testing.T, c tls.Certificate, change func(*tls.Config)) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{c}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if change != nil {
		change(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}
