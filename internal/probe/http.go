package probe

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/config"
)

const (
	userAgent = "holdfast-probe"

	// headLimit is how long the head of an answer may be, and bodyLimit how much of its body is looked at.
	headLimit = 64 << 10
	bodyLimit = 64 << 10
	// wireLimit is what a body of that length takes in the smallest of chunks.
	wireLimit = 8 * bodyLimit

	// reasonPatience is how long the body of an answer that is a failure may take to say why.
	reasonPatience = 200 * time.Millisecond
	reasonBytes    = 100
)

// http makes the request by hand, on this goroutine: a Transport has several for a connection, and its own idea
// of when they end.
func (p *Prober) http(ctx context.Context, c *config.Check) error {
	req, err := request(c)
	var text bytes.Buffer
	if err == nil {
		err = req.Write(&text)
	}
	if err != nil {
		return verdict(plain(err))
	}
	var secure *tls.Config
	address, port := req.URL.Hostname(), req.URL.Port()
	if req.URL.Scheme == "https" {
		if secure, err = p.tlsConfig(ctx, &c.HTTP); err != nil {
			return err
		}
		secure.ServerName = address
	}
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[secure != nil]
	}
	conn, err := dial(ctx, net.JoinHostPort(address, port))
	if err != nil {
		return err
	}
	defer func() { conn.Close() }()
	raw := conn
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(longAgo) })
	defer stop()
	if secure != nil {
		t := tls.Client(conn, secure)
		if err := t.Handshake(); err != nil {
			return err
		}
		conn = t
	}
	// One that refuses us may say so, and hang up while we write. If the connection is broken it can't be read either.
	_, _ = conn.Write(text.Bytes())
	from := &io.LimitedReader{R: conn, N: headLimit}
	answer, err := readAnswer(bufio.NewReaderSize(from, 1024), req)
	switch {
	case err != nil && from.N <= 0:
		return verdict("the head of the answer has no end")
	case err != nil:
		return err
	}
	from.N += wireLimit
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		_ = raw.SetReadDeadline(time.Now().Add(reasonPatience))
		if ctx.Err() != nil { // it ended just before
			_ = raw.SetReadDeadline(longAgo)
		}
		return verdict(fmt.Sprintf("status %d%s", answer.StatusCode, firstLine(answer.Body)))
	}
	if c.HTTP.Body == "" {
		return nil
	}
	return contains(answer.Body, c.HTTP.Body)
}

var longAgo = time.Unix(1, 0)

func request(c *config.Check) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, c.Target, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "*/*")
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	given := make(map[string]bool)
	for _, h := range c.HTTP.Headers {
		name := http.CanonicalHeaderKey(h[0])
		switch {
		case name == "Host":
			req.Host = h[1]
		case given[name]:
			req.Header.Add(name, h[1])
		default:
			req.Header.Set(name, h[1])
		}
		given[name] = true
	}
	return req, nil
}

// readAnswer passes over the answers that come before the answer (103 Early Hints).
func readAnswer(r *bufio.Reader, req *http.Request) (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(r, req)
		if err != nil || answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer, err
		}
	}
}

// contains looks for text in what comes, no further than it has to.
func contains(body io.Reader, text string) error {
	var seen []byte
	body = io.LimitReader(body, bodyLimit)
	for buf := make([]byte, 1024); ; {
		n, err := body.Read(buf)
		from := max(0, len(seen)-len(text)+1)
		seen = append(seen, buf[:n]...)
		switch {
		case bytes.Contains(seen[from:], []byte(text)):
			return nil
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return verdict(fmt.Sprintf("the answer lacks %q", text))
		case err != nil:
			return err
		}
	}
}

// firstLine is ": " and the first line of the body that says something.
func firstLine(body io.Reader) string {
	head, _ := io.ReadAll(io.LimitReader(body, 4*reasonBytes))
	for line := range strings.Lines(string(head)) {
		if line = cut(line); line != "" {
			return ": " + line
		}
	}
	return ""
}
