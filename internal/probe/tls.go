package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"holdfast/internal/config"
)

// certFiles are the files of an HTTPCheck.
type certFiles struct{ ca, cert, key string }

// A loadedCert is what they held at the time of their stamps.
type loadedCert struct {
	stamps [3]stamp
	roots  *x509.CertPool // nil: the system's
	own    []tls.Certificate
}

// A stamp changes when a file does, or another takes its place.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

func stampOf(path string) (s stamp) {
	var st unix.Stat_t
	if path != "" && unix.Stat(path, &st) == nil {
		s = stamp{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}
	}
	return s
}

// tlsConfig is a new Config for one connection.
func (p *Prober) tlsConfig(ctx context.Context, h *config.HTTPCheck) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: h.NoVerify}
	files := certFiles{h.CAFile, h.CertFile, h.KeyFile}
	if files == (certFiles{}) {
		return c, nil
	}
	value, err := p.look(ctx, "certificates "+files.ca+"\x00"+files.cert+"\x00"+files.key, func() (any, error) { return p.load(files) })
	if err != nil {
		return nil, err
	}
	loaded := value.(*loadedCert)
	c.RootCAs, c.Certificates = loaded.roots, loaded.own
	return c, nil
}

// load reads the files if they have changed: a node's certificates are replaced while it runs.
func (p *Prober) load(files certFiles) (*loadedCert, error) {
	// The stamps come first: what changes meanwhile is read again next time.
	stamps := [3]stamp{stampOf(files.ca), stampOf(files.cert), stampOf(files.key)}
	p.mu.Lock()
	l := p.certs[files]
	p.mu.Unlock()
	if l != nil && l.stamps == stamps {
		return l, nil
	}
	l = &loadedCert{stamps: stamps}
	if files.ca != "" {
		pem, err := read(files.ca)
		if err != nil {
			return nil, err
		}
		l.roots = x509.NewCertPool()
		if !l.roots.AppendCertsFromPEM(pem) {
			return nil, verdict("no certificate in " + files.ca)
		}
	}
	if files.cert != "" {
		pair, err := pair(files.cert, files.key)
		if err != nil {
			return nil, err
		}
		l.own = []tls.Certificate{pair}
	}
	p.mu.Lock()
	if p.certs == nil {
		p.certs = make(map[certFiles]*loadedCert)
	}
	p.certs[files] = l
	p.mu.Unlock()
	return l, nil
}

// pair reads our own certificate and its key, which may be in one file.
func pair(certFile, keyFile string) (pair tls.Certificate, err error) {
	cert, err := read(certFile)
	if err != nil {
		return pair, err
	}
	key := cert
	if keyFile != "" {
		if key, err = read(keyFile); err != nil {
			return pair, err
		}
	}
	if pair, err = tls.X509KeyPair(bytes.Clone(cert), bytes.Clone(key)); err != nil {
		return pair, verdict("no certificate with its key in " + certFile + " " + keyFile + ": " + plain(err))
	}
	return pair, nil
}

func read(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) && !isShortage(err) {
		return nil, verdict("cannot read " + path + ": " + pathErr.Err.Error())
	}
	return b, err
}
