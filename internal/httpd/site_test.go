package httpd

import (
	"net/http/httptest"
	"testing"
)

func TestSourceOf(t *testing.T) {
	const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, tt := range []struct {
		rule, host string
		header     []string
		want       Source
	}{
		{"curl", "node1:9001", []string{"User-Agent", "curl/8.14.1"}, Trusted},
		{"nothing at all", "evil.example", nil, Trusted},

		{"our page", "localhost:9001", []string{"Sec-Fetch-Site", "same-origin"}, Trusted},
		{"typed in", "localhost:9001", []string{"Sec-Fetch-Site", "none", "User-Agent", browser}, Trusted},
		{"another site", "localhost:9001", []string{"Sec-Fetch-Site", "cross-site"}, Foreign},
		{"another port of ours", "localhost:9001", []string{"Sec-Fetch-Site", "same-site"}, Foreign},
		{"a word to come", "localhost:9001", []string{"Sec-Fetch-Site", "x"}, Foreign},
		{"Sec-Fetch-Site counts more than Origin: a proxy may have changed Host", "localhost:9001", []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://sup.example"}, Trusted},
		{"nor does Origin help", "localhost:9001", []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://localhost:9001"}, Foreign},

		{"our Origin", "192.0.2.1:9001", []string{"User-Agent", browser, "Origin", "http://192.0.2.1:9001"}, Trusted},
		{"our Origin on port 80", "192.0.2.1", []string{"Origin", "http://192.0.2.1"}, Trusted},
		{"our Origin on port 80, said", "192.0.2.1:80", []string{"Origin", "http://192.0.2.1"}, Trusted},
		{"our Origin on port 443", "sup.example:443", []string{"Origin", "https://sup.example"}, Trusted},
		{"our Origin in capitals", "NODE1:9001", []string{"Origin", "http://node1:9001"}, Trusted},
		{"another Origin", "192.0.2.1:9001", []string{"Origin", "http://evil.example"}, Foreign},
		{"another port's Origin", "192.0.2.1:9001", []string{"Origin", "http://192.0.2.1:8080"}, Foreign},
		{"a secret Origin", "192.0.2.1:9001", []string{"Origin", "null"}, Foreign},
		{"an Origin that is none", "192.0.2.1:9001", []string{"Origin", "%"}, Foreign},
		{"Origin counts more than Referer", "192.0.2.1:9001", []string{"Origin", "http://evil.example", "Referer", "http://192.0.2.1:9001/"}, Foreign},

		{"our Referer", "192.0.2.1:9001", []string{"User-Agent", browser, "Referer", "http://192.0.2.1:9001/index.html?message=x"}, Trusted},
		{"another Referer", "192.0.2.1:9001", []string{"User-Agent", browser, "Referer", "http://evil.example/192.0.2.1:9001/"}, Foreign},
		{"another Referer, of a client that is no browser", "192.0.2.1:9001", []string{"Referer", "http://evil.example/"}, Foreign},
		{"a Referer with our address as its user", "192.0.2.1:9001", []string{"Referer", "http://192.0.2.1:9001@evil.example/"}, Foreign},

		{"a browser that says nothing", "192.0.2.1:9001", []string{"User-Agent", browser}, Unsure},

		{"a prefetch", "localhost:9001", []string{"Sec-Fetch-Site", "none", "Sec-Purpose", "prefetch;prerender"}, Premature},
		{"a prefetch, as said before", "localhost:9001", []string{"Purpose", "prefetch"}, Premature},
		{"a preview", "localhost:9001", []string{"Purpose", "preview"}, Premature},
		{"a prefetch of an old Firefox", "localhost:9001", []string{"X-Moz", "prefetch"}, Premature},

		{"a name of everybody", "evil.example:9001", []string{"Origin", "http://evil.example:9001"}, Misnamed},
		{"by Referer too", "evil.example:9001", []string{"Referer", "http://evil.example:9001/x"}, Misnamed},
		{"a name that only begins with ours", "node11.evil.example:9001", []string{"Origin", "http://node11.evil.example:9001"}, Misnamed},
		{"an address as a name", "192.0.2.1.evil.example", []string{"Origin", "http://192.0.2.1.evil.example"}, Misnamed},
		{"https: there is a proxy with a certificate", "sup.example", []string{"Origin", "https://sup.example"}, Trusted},
		{"a password was given", "sup.example:9001", []string{"Origin", "http://sup.example:9001", "Authorization", "Basic dTpw"}, Trusted},
		{"our name", "node1.example:9001", []string{"Origin", "http://node1.example:9001"}, Trusted},
		{"our name in capitals", "Node1.Example.:9001", []string{"Origin", "http://Node1.Example.:9001"}, Trusted},
		{"a name of the house", "sup:9001", []string{"Origin", "http://sup:9001"}, Trusted},
		{"a name of the local net", "sup.local:9001", []string{"Origin", "http://sup.local:9001"}, Trusted},
		{"a name of the cluster", "sup.default.svc.cluster.local:9001", []string{"Origin", "http://sup.default.svc.cluster.local:9001"}, Trusted},
		{"an IPv6 address", "[2001:db8::1]:9001", []string{"Origin", "http://[2001:db8::1]:9001"}, Trusted},
	} {
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, "http://"+tt.host+"/", nil)
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			if got := sourceOf(r, "node1"); got != tt.want {
				t.Errorf("%s, %s: %d, want %d", tt.rule, method, got, tt.want)
			}
		}
	}
	r := httptest.NewRequest("POST", "http://localhost.evil.example/", nil)
	r.Header.Set("Origin", "http://localhost.evil.example")
	if got := sourceOf(r, "localhost"); got != Misnamed {
		t.Errorf("a machine that is called localhost: %d", got)
	}
}
