package httpd

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAuth(t *testing.T) {
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	const plain, sha = "sécret:x", "{SHA}5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8" // the second: "password"
	for _, tt := range []struct {
		rule, password, header string
		code                   int
	}{
		{"the right password", plain, basic("user:sécret:x"), 200},
		{"a wrong password", plain, basic("user:sécret"), 401},
		{"a wrong user", plain, basic("User:sécret:x"), 401},
		{"no credentials", plain, "", 401},
		{"the scheme's case does not matter", plain, strings.Replace(basic("user:sécret:x"), "Basic", "bASIC", 1), 200},
		{"another scheme", plain, "Digest abc", 401},
		{"a scheme and nothing else", plain, "Basic", 401},
		{"credentials that are no base64", plain, "Basic !!!", 400},
		{"credentials that are no text", plain, basic("user:\xff"), 400},
		{"credentials without a colon", plain, basic("user"), 401},
		{"an empty password", plain, basic("user:"), 401},
		{"the right password of a hash", sha, basic("user:password"), 200},
		{"a wrong password of a hash", sha, basic("user:passwore"), 401},
		{"the hash itself is no password", sha, basic("user:" + sha), 401},
		{"an upper-case hash fits nothing", strings.ToUpper(sha), basic("user:password"), 401},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			connect := serve(t, Server{Username: "user", Password: tt.password}, defaultLimits, echo)
			c := connect()
			header := ""
			if tt.header != "" {
				header = "Authorization: " + tt.header + "\r\n"
			}
			fmt.Fprintf(c, "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n%s\r\nok", header)
			var raw bytes.Buffer
			in := bufio.NewReader(io.TeeReader(c, &raw))
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			want := map[int]string{200: "ok", 400: errorPage(400, "Bad Request"), 401: errorPage(401, "Unauthorized")}
			if resp.StatusCode != tt.code || string(body) != want[tt.code] {
				t.Errorf("got %d %q, want %d", resp.StatusCode, body, tt.code)
			}
			if (tt.code == 401) != strings.Contains(raw.String(), "\r\nWWW-Authenticate: Basic realm=\"default\"\r\n") {
				t.Errorf("the challenge in %q", raw.String())
			}
			if tt.code != 200 {
				if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
					t.Errorf("the connection stays: %q, %v", rest, err)
				}
			}
		})
	}
}
