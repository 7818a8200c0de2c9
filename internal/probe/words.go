package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
	"unicode"

	"holdfast/internal/config"
)

// A verdict is a reason in an operator's words.
type verdict string

func (v verdict) Error() string { return string(v) }

// An Unable is the error of a check that could not be made, for a want of files, ports or memory on our side. It says
// nothing about the other one.
type Unable struct{ Reason string }

func (e *Unable) Error() string { return "cannot check: " + e.Reason }

func isShortage(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// inWords says what is wrong, without the layers that it came through.
func inWords(err error, h *config.HTTPCheck) error {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case isShortage(err):
		errors.As(err, &errno)
		return &Unable{errno.Error()}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return verdict("connection reset")
	case errors.As(err, &errno):
		return verdict(errno.Error()) // "connection refused"
	case errors.As(err, &dns) && dns.IsNotFound:
		return verdict("no such host")
	case errors.As(err, &dns):
		return verdict("cannot look up " + dns.Name + ": " + dns.Err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return verdict("connection closed without an answer")
	}
	if text := certificateWords(err, h); text != "" {
		return verdict(text)
	}
	return verdict(plain(err))
}

// certificateWords is empty for what is not about TLS.
func certificateWords(err error, h *config.HTTPCheck) string {
	var (
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
		record    tls.RecordHeaderError
		op        *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		return "certificate signed by unknown authority (set ..._tls_ca, or ..._tls_verify=false)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().Before(invalid.Cert.NotBefore):
		return "certificate is not valid yet"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate has expired"
	case errors.As(err, &invalid):
		return plain(invalid)
	case errors.As(err, &host):
		return plain(host) // "certificate is valid for a, not b"
	case errors.As(err, &record):
		return "the server does not speak TLS (http:// in place of https://?)"
	case errors.As(err, &op) && op.Op == "remote error": // an alert
		return alertWords(op.Err, h)
	}
	return ""
}

// Alerts of RFC 8446. The first is TLS 1.3's; with older ones servers that want a certificate send any of them.
const (
	certificateRequired tls.AlertError = 116
	badCertificate      tls.AlertError = 42
	handshakeFailure    tls.AlertError = 40
)

// alertWords is for what a server says before it hangs up. Package tls has no other way to tell its alerts apart
// than their texts.
func alertWords(alert error, h *config.HTTPCheck) string {
	is := func(a tls.AlertError) bool { return alert.Error() == a.Error() }
	text := "the server refuses the connection: " + plain(alert)
	switch {
	case h.CertFile != "":
	case is(certificateRequired), is(badCertificate):
		return "the server wants a certificate (set ..._tls_cert)"
	case is(handshakeFailure):
		text += " (it may want a certificate: ..._tls_cert)"
	}
	return text
}

// plain is an error's text without the names of packages.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{"net/http: ", "http: ", "tls: ", "x509: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return cut(text)
}

// cut makes a text fit a line of status: no more than reasonBytes, no end, nothing that does not print.
func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if s = strings.TrimSpace(s); len(s) > reasonBytes {
		s = strings.ToValidUTF8(s[:reasonBytes], "")
	}
	return s
}
