// Package client speaks to a running supervisord, Holdfast's or the original, over its unix socket
// or its inet port.
//
//	c, err := client.New("unix:///run/supervisor.sock", "", "")
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	err = c.StartProcess(ctx, "web:web_00", true)
//	var f *client.Fault
//	if errors.As(err, &f) && f.Code == client.AlreadyStarted {
//		err = nil
//	}
//
// There is one method for each method of the API, under its name without "get". A server that
// refuses answers a *Fault; one that answers no XML-RPC at all, since it wants a password for
// instance, an *HTTPError. Everything else is an error of the connection, to be matched with
// errors.Is (syscall.ENOENT: there is no such socket).
//
// A Client keeps one connection open between calls. It may be used by several goroutines; calls at
// the same time then have a connection each. No call has a time limit of its own: give one by ctx.
// A call that is given up goes on in the server.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"holdfast/internal/xmlrpc"
)

// A Client calls one supervisord.
type Client struct {
	http               *http.Client
	base               string // what requests name as the server: "http://host:port"
	username, password string
}

// ErrUnknownProtocol is wrapped by New's error for a URL that begins otherwise than it must.
var ErrUnknownProtocol = errors.New("the URL must begin with http:// or unix://")

// New returns a client of the server at serverURL, which is "unix://" and the path of a socket, or
// "http://host:port", where :80 may be left out. An empty username means no authentication. New
// does not connect yet.
func New(serverURL, username, password string) (*Client, error) {
	c := &Client{base: "http://localhost", username: username, password: password}
	t := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1}
	c.http = &http.Client{
		Transport: t,
		// A supervisord redirects nothing that is asked for here.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	path, isUnix := strings.CutPrefix(serverURL, "unix://")
	switch {
	case isUnix:
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	case strings.HasPrefix(serverURL, "http://"):
		u, err := url.Parse(serverURL)
		if err != nil {
			return nil, fmt.Errorf("cannot use server URL %q: %w", serverURL, err)
		}
		c.base = "http://" + u.Host
	default:
		return nil, fmt.Errorf("cannot use server URL %q: %w", serverURL, ErrUnknownProtocol)
	}
	return c, nil
}

// Close closes the connection that is kept between calls. The client can be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A Fault is the server's refusal of a call.
type Fault struct {
	Code   int    // BadName and so on
	String string // the code's name, often with ": " and more behind it
}

func (f *Fault) Error() string { return fmt.Sprintf("fault %d: %s", f.Code, f.String) }

// The codes of a Fault, and of a Result.
const (
	UnknownMethod        = 1
	IncorrectParameters  = 2
	BadArguments         = 3
	SignatureUnsupported = 4
	ShutdownState        = 6
	BadName              = 10
	BadSignal            = 11
	NoFile               = 20
	NotExecutable        = 21
	Failed               = 30
	AbnormalTermination  = 40
	SpawnError           = 50
	AlreadyStarted       = 60
	NotRunning           = 70
	Success              = 80 // of a Result only
	AlreadyAdded         = 90
	StillRunning         = 91
	CantReread           = 92
)

// An HTTPError is an answer with another status than 200: 401 without the right username and
// password, 404 for a log that does not exist.
type HTTPError struct {
	Code   int
	Reason string // "Unauthorized"
}

func (e *HTTPError) Error() string { return fmt.Sprintf("HTTP status %d %s", e.Code, e.Reason) }

// Struct and Member are what Call gives and takes for a struct: its members in their order.
type (
	Struct = xmlrpc.Struct
	Member = xmlrpc.Member
)

// Call calls any method, "system.listMethods" or one of a plugin's, and returns its value: string,
// int64, bool, float64, time.Time, nil, []any or Struct. Parameters may be of the same types, int
// or []string.
func (c *Client) Call(ctx context.Context, method string, params ...any) (any, error) {
	v, err := c.call(ctx, method, params)
	if err != nil {
		return nil, fmt.Errorf("cannot call %s: %w", method, err)
	}
	return v, nil
}

func (c *Client) call(ctx context.Context, method string, params []any) (any, error) {
	body, err := xmlrpc.EncodeCall(method, params)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/RPC2", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/xml")
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	v, err := xmlrpc.DecodeResponse(answer)
	var f *xmlrpc.Fault
	if errors.As(err, &f) {
		err = &Fault{Code: f.Code, String: f.String}
	}
	return v, err
}

// do sends req and returns the answer if its status is 200.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", "holdfast")
	if c.username != "" {
		req.SetBasicAuth(c.username, c.password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error // says again which request it was
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_, reason, _ := strings.Cut(resp.Status, " ")
		resp.Body.Close()
		return nil, &HTTPError{Code: resp.StatusCode, Reason: reason}
	}
	return resp, nil
}
