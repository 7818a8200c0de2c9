package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// tells FILE REGEXP...: until FILE has lines that match, in this order, behind those that the tells before has found.
func tells(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: tells FILE REGEXP...")
	}
	var res []*regexp.Regexp
	for _, arg := range args[1:] {
		res = append(res, regexp.MustCompile(arg))
	}
	path := ts.MkAbs(args[0])
	read := "TOLD_" + args[0] // how much of it was told already
	from := 0
	fmt.Sscan(ts.Getenv(read), &from)
	found := 0
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		data, _ := os.ReadFile(path)
		at := min(from, len(data))
		found = 0
		for line := range strings.Lines(string(data[at:])) {
			if at += len(line); res[found].MatchString(strings.TrimSuffix(line, "\n")) {
				if found++; found == len(res) {
					ts.Setenv(read, fmt.Sprint(at))
					return
				}
			}
		}
		if time.Now().After(end) {
			ts.Logf("%s", data[min(from, len(data)):])
			ts.Fatalf("waited %v for %s to tell %s", patience, args[0], args[1+found])
		}
	}
}

// waitShown NAME REGEXP: until the line of supervisorctl status about NAME matches.
func waitShown(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitshown NAME REGEXP")
	}
	re := regexp.MustCompile(args[1])
	last := ""
	for end := time.Now().Add(patience); ; {
		for line := range strings.Lines(ctl(ts, "status", args[0])) {
			if last = strings.TrimSpace(line); re.MatchString(last) {
				return
			}
		}
		if time.Now().After(end) {
			ts.Fatalf("waited %v for %s to be shown as %s, and it is %q", patience, args[0], args[1], last)
		}
	}
}

// certs: make ca.crt, and with its signature server.crt and server.key for 127.0.0.1, client.crt and client.key.
func certs(ts *testscript.TestScript, neg bool, args []string) {
	write := func(name, kind string, der []byte) {
		ts.Check(os.WriteFile(ts.MkAbs(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	var ca *x509.Certificate
	var caKey *ecdsa.PrivateKey
	for i, name := range []string{"ca", "server", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ts.Check(err)
		c := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: i == 0, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if i == 0 {
			ca, caKey = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, ca, key.Public(), caKey)
		ts.Check(err)
		write(name+".crt", "CERTIFICATE", der)
		der, err = x509.MarshalECPrivateKey(key)
		ts.Check(err)
		write(name+".key", "EC PRIVATE KEY", der)
	}
}
