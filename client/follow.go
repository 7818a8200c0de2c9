package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Follow writes a log to w as it grows: first its last 1024 bytes, then what is added. The path is
// "/mainlogtail", "/logtail/NAME" or "/logtail/NAME/CHANNEL", where NAME is a process as
// "group:name" or "name", and CHANNEL "stdout" or "stderr".
//
// Follow has a connection of its own. It ends with nil when the server ends the stream, in order
// or by its death, with ctx's error, or with w's.
func (c *Client) Follow(ctx context.Context, path string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+(&url.URL{Path: path}).EscapedPath(), nil)
	if err != nil {
		return err
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return ctx.Err()
		}
	}
}
