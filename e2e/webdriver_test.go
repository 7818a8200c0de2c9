package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A browser is a headless Chromium, driven as W3C's WebDriver says.
type browser struct {
	t       *testing.T
	session string // its URL
}

// newBrowser starts one that takes the names of hosts, a rule of Chromium's --host-resolver-rules,
// as it says. It skips the test where there is no Chromium.
func newBrowser(t *testing.T, hosts string) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skipf("no browser (apt-get install chromium): %v", err)
	}
	if _, err := exec.LookPath("chromedriver"); err != nil {
		t.Skipf("nothing to drive the browser with (apt-get install chromium-driver): %v", err)
	}
	profile := t.TempDir()
	cmd := exec.Command("chromedriver", "--port=0")
	cmd.Env = append(os.Environ(), "TMPDIR="+profile, "HOME="+profile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with the browser, should it be left
		cmd.Wait()
	})
	port := ""
	for lines := bufio.NewScanner(out); port == ""; {
		if !lines.Scan() {
			t.Fatalf("chromedriver did not start: %v", lines.Err())
		}
		if m := regexp.MustCompile(`successfully on port (\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			port = m[1]
		}
	}
	go io.Copy(io.Discard, out) // ends with chromedriver

	b := &browser{t: t, session: "http://127.0.0.1:" + port + "/session"}
	var session struct{ SessionID string }
	b.do("POST", "", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"browserName": "chrome",
		"timeouts":    map[string]any{"pageLoad": patience.Milliseconds()},
		"goog:chromeOptions": map[string]any{"binary": chromium, "args": []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1200,800",
			"--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable", "--user-data-dir=" + profile + "/profile", "--host-resolver-rules=" + hosts,
		}},
	}}}, &session)
	b.session += "/" + session.SessionID
	t.Cleanup(func() { b.do("DELETE", "", nil, nil) })
	return b
}

// do sends a command and decodes its value into out.
func (b *browser) do(method, path string, in, out any) {
	b.t.Helper()
	if err := b.try(method, path, in, out); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) try(method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequest(method, b.session+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 3 * patience}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s %s: %s", method, path, body, answer.Value)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, out)
}

// open goes to url and waits for all that the page loads.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do("POST", "/url", map[string]string{"url": url}, nil)
}

// find is the path of the element that a CSS selector means.
func (b *browser) find(selector string) (string, error) {
	var element map[string]string
	err := b.try("POST", "/element", map[string]string{"using": "css selector", "value": selector}, &element)
	for _, id := range element {
		return "/element/" + id, err
	}
	return "", err
}

// click clicks on an element and waits for the page that follows.
func (b *browser) click(selector string) {
	b.t.Helper()
	element, err := b.find(selector)
	if err != nil {
		b.t.Fatal(err)
	}
	b.do("POST", element+"/click", map[string]string{}, nil)
}

func (b *browser) text(selector string) (text string) {
	element, err := b.find(selector)
	if err == nil {
		err = b.try("GET", element+"/text", nil, &text)
	}
	if err != nil {
		return err.Error()
	}
	return text
}

// expect waits until the text of an element has want in it.
func (b *browser) expect(selector, want string) {
	b.t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // between two looks
		if got = b.text(selector); strings.Contains(got, want) {
			return
		}
	}
	b.t.Fatalf("%s is %q, want %q in it", selector, got, want)
}

// screenshot writes a picture of the page into $HOLDFAST_SCREENSHOTS, if that is set.
func (b *browser) screenshot(name string, width, height int) {
	b.t.Helper()
	dir := os.Getenv("HOLDFAST_SCREENSHOTS")
	if dir == "" {
		return
	}
	var picture string
	b.do("POST", "/window/rect", map[string]int{"width": width, "height": height}, nil)
	b.do("GET", "/screenshot", nil, &picture)
	data, err := base64.StdEncoding.DecodeString(picture)
	if err == nil {
		err = os.WriteFile(dir+"/"+name+".png", data, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
