package httpd

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// A Source is what a request's headers say of who is behind it. Browsers send requests, with the
// passwords that they remember, for every page that wants them to; who changes something on a
// request must know whose page that was.
type Source int

const (
	Trusted   Source = iota // our own page, an address that was typed in, or no browser at all
	Unsure                  // a browser that does not say what page it comes from
	Foreign                 // another site's page
	Misnamed                // a page under a name that may not be this machine's
	Premature               // a browser that loads what its user may want to see next
)

// SourceOf tells who is behind a request, whatever its method. http.CrossOriginProtection has the
// same view of POST, but lets every GET pass, and the original's pages act on GET.
//
//	Sec-Fetch-Site: same-origin, none    Trusted; any other is Foreign
//	else Origin, else Referer            of the Host that was asked for: Trusted, or Misnamed; any other is Foreign
//	else User-Agent                      a browser's: Unsure; any other, or none: Trusted
//
// Browsers leave Sec-Fetch-Site out where neither https nor localhost is asked for, Origin out of
// GET, and Referer out if the page that sends them wishes so. That is Unsure, as is what is typed in.
//
// Misnamed is against DNS rebinding: a page of evil.example, whose name its owner lets mean our
// address for a while, is of the Host that it asks for. It has no password of ours, and it is no
// https page, for which it would need a certificate that we show.
func SourceOf(r *http.Request) Source {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "localhost"
	}
	return sourceOf(r, hostname)
}

func sourceOf(r *http.Request, hostname string) Source {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		if v := r.Header.Get(name); strings.Contains(v, "prefetch") || strings.Contains(v, "preview") {
			return Premature
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return Trusted
	case "":
	default:
		return Foreign
	}
	page := r.Header.Get("Origin")
	if page == "" {
		page = r.Header.Get("Referer")
	}
	if page == "" {
		if strings.HasPrefix(r.UserAgent(), "Mozilla/") { // as every browser says since 1994
			return Unsure
		}
		return Trusted
	}
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || hostOf(u.Host, u.Scheme) != hostOf(r.Host, u.Scheme) {
		return Foreign
	}
	// Authorization is only there if it was looked at: see guard.
	if u.Scheme != "https" && r.Header.Get("Authorization") == "" && !isOurName(u.Hostname(), hostname) {
		return Misnamed
	}
	return Trusted
}

// hostOf is a host as it can be compared: browsers leave the scheme's own port out.
func hostOf(host, scheme string) string {
	port := ":80"
	if scheme == "https" {
		port = ":443"
	}
	return strings.TrimSuffix(strings.ToLower(host), port)
}

// isOurName tells whether a name can't be one that a stranger lets mean our address: an address, a
// name that public DNS does not have, or the machine's own. The latter goes by its first label,
// since most machines know no more of their name.
func isOurName(name, hostname string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if net.ParseIP(name) != nil || !strings.Contains(name, ".") {
		return true
	}
	if slices.ContainsFunc([]string{".localhost", ".localdomain", ".local", ".internal", ".lan", ".home.arpa", ".test"}, func(suffix string) bool {
		return strings.HasSuffix(name, suffix)
	}) {
		return true
	}
	label := func(s string) string { s, _, _ = strings.Cut(strings.ToLower(s), "."); return s }
	return label(hostname) != "localhost" && label(name) == label(hostname)
}
