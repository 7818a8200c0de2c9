package probe

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

const unknownAuthority = "certificate signed by unknown authority (set ..._tls_ca, or ..._tls_verify=false)"

func TestCertificates(t *testing.T) {
	ca, other := newAuthority(t, "ours"), newAuthority(t, "another")
	caFile, otherFile := ca.file(), other.file()
	self := newAuthority(t, "self")
	for _, row := range []struct {
		name string
		cert tls.Certificate
		http config.HTTPCheck
		want string
	}{
		{"good", ca.leaf(nil), config.HTTPCheck{CAFile: caFile, Body: "ok"}, ""},
		{"of nobody that the system knows", ca.leaf(nil), config.HTTPCheck{}, unknownAuthority},
		{"of another authority", ca.leaf(nil), config.HTTPCheck{CAFile: otherFile}, unknownAuthority},
		{"self-signed", tls.Certificate{Certificate: [][]byte{self.cert.Raw}, PrivateKey: self.key}, config.HTTPCheck{CAFile: caFile}, unknownAuthority},
		{"of nobody, and that is all right", ca.leaf(nil), config.HTTPCheck{NoVerify: true}, ""},
		{"expired", ca.leaf(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), config.HTTPCheck{CAFile: caFile}, "certificate has expired"},
		{"from the future", ca.leaf(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), config.HTTPCheck{CAFile: caFile}, "certificate is not valid yet"},
		{"for another host", ca.leaf(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} }), config.HTTPCheck{CAFile: caFile},
			"certificate is valid for 10.0.0.1, not 127.0.0.1"},
		{"not for servers", ca.leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), config.HTTPCheck{CAFile: caFile},
			"certificate specifies an incompatible key usage"},
		{"no such file", ca.leaf(nil), config.HTTPCheck{CAFile: "/no/such"}, "cannot read /no/such: no such file or directory"},
		{"no certificate in the file", ca.leaf(nil), config.HTTPCheck{CAFile: "/dev/null"}, "no certificate in /dev/null"},
	} {
		t.Run(row.name, func(t *testing.T) {
			noLeaks(t)
			c := check(tlsServer(t, row.cert, nil).URL)
			c.HTTP, c.TimeoutSecs = row.http, 10 // the system's are many to read
			want(t, new(Prober), c, row.want)
		})
	}
}

// The server's name comes from the URL.
func TestServerName(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t, "ours")
	names := make(chan string, 1)
	s := tlsServer(t, ca.leaf(func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"localhost"} }), func(c *tls.Config) {
		c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) { names <- h.ServerName; return nil, nil }
	})
	c := check(strings.Replace(s.URL, "127.0.0.1", "localhost", 1))
	c.HTTP.CAFile = ca.file()
	c.HTTP.Headers = [][2]string{{"Host", "elsewhere"}}
	want(t, new(Prober), c, "")
	if name := <-names; name != "localhost" {
		t.Errorf("got %q", name)
	}
}

func TestPlainServers(t *testing.T) {
	noLeaks(t)
	plain := httptest.NewServer(nil)
	defer plain.Close()
	want(t, new(Prober), check(strings.Replace(plain.URL, "http:", "https:", 1)),
		"the server does not speak TLS (http:// in place of https://?)")
	s := tlsServer(t, newAuthority(t, "ours").leaf(nil), nil)
	want(t, new(Prober), check(strings.Replace(s.URL, "https:", "http:", 1)), "status 400: Client sent an HTTP request to an HTTPS server.")
}

func TestOldTLS(t *testing.T) {
	noLeaks(t)
	s := tlsServer(t, newAuthority(t, "ours").leaf(nil), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	c := check(s.URL)
	c.HTTP.NoVerify = true
	want(t, new(Prober), c, "the server refuses the connection: protocol version not supported")
}

func TestClientCertificate(t *testing.T) {
	ca, other := newAuthority(t, "ours"), newAuthority(t, "another")
	trusted := x509.NewCertPool()
	trusted.AddCert(ca.cert)
	for version, none := range map[uint16]string{
		tls.VersionTLS12: "the server refuses the connection: handshake failure (it may want a certificate: ..._tls_cert)",
		tls.VersionTLS13: "the server wants a certificate (set ..._tls_cert)",
	} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			noLeaks(t)
			s := tlsServer(t, ca.leaf(nil), func(c *tls.Config) {
				c.MaxVersion, c.ClientAuth, c.ClientCAs = version, tls.RequireAndVerifyClientCert, trusted
			})
			mine, its := ca.leaf(nil), other.leaf(nil)
			both := append(certPEM(mine.Certificate[0]), keyPEM(t, mine)...)
			certFile, keyFile := ca.write("cert.pem", certPEM(mine.Certificate[0])), ca.write("key.pem", keyPEM(t, mine))
			for _, row := range []struct {
				name, cert, key, want string
			}{
				{"none", "", "", none},
				{"good", certFile, keyFile, ""},
				{"with its key in one file", ca.write("both.pem", both), "", ""},
				{"the key of another", certFile, ca.write("other.pem", keyPEM(t, its)),
					"no certificate with its key in " + certFile + " " + ca.dir + "/other.pem: private key does not match public key"},
				{"no key", certFile, "/no/such", "cannot read /no/such: no such file or directory"},
			} {
				c := check(s.URL)
				c.HTTP = config.HTTPCheck{CAFile: ca.file(), CertFile: row.cert, KeyFile: row.key, Body: "ok"}
				t.Run(row.name, func(t *testing.T) { want(t, new(Prober), c, row.want) })
			}
		})
	}
}

// Certificates are replaced while we run: the server's authority, and our own.
func TestCertificatesAreReadAgain(t *testing.T) {
	noLeaks(t)
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	var now tls.Certificate
	trusted := x509.NewCertPool()
	trusted.AddCert(second.cert)
	wants := tls.NoClientCert
	s := tlsServer(t, first.leaf(nil), func(c *tls.Config) {
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{now}, ClientAuth: wants, ClientCAs: trusted}, nil
		}
	})
	both := func(a *authority) []byte {
		leaf := a.leaf(nil)
		return append(certPEM(leaf.Certificate[0]), keyPEM(t, leaf)...)
	}
	var p Prober
	c := check(s.URL)
	c.HTTP = config.HTTPCheck{CAFile: first.file(), CertFile: first.write("own.pem", both(first))}

	now = first.leaf(nil)
	want(t, &p, c, "")
	loaded := p.certs[certFiles{c.HTTP.CAFile, c.HTTP.CertFile, ""}]
	want(t, &p, c, "")
	if p.certs[certFiles{c.HTTP.CAFile, c.HTTP.CertFile, ""}] != loaded {
		t.Error("the files were read again though nothing has changed")
	}
	now = second.leaf(nil)
	want(t, &p, c, unknownAuthority)
	first.write("ca.pem", certPEM(second.cert.Raw))
	want(t, &p, c, "")
	wants = tls.RequireAndVerifyClientCert
	if err := p.Do(t.Context(), c); err == nil {
		t.Error("our certificate of another authority is good enough")
	}
	first.write("own.pem", both(second))
	want(t, &p, c, "")
}
