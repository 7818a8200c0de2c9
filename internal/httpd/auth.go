package httpd

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"unicode/utf8"
)

// authorize answers 0 if the request carries the user's name and password, or the status to refuse
// it with.
func authorize(r *http.Request, username, password string) int {
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "basic") {
		return http.StatusUnauthorized
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(credentials))
	if err != nil || !utf8.Valid(decoded) {
		return http.StatusBadRequest
	}
	// Differs: credentials without a colon are an internal error (500) in the original.
	user, pass, _ := strings.Cut(string(decoded), ":")
	if hash, ok := strings.CutPrefix(password, "{SHA}"); ok {
		sum := sha1.Sum([]byte(pass))
		pass, password = hex.EncodeToString(sum[:]), hash
	}
	// Both are compared always, so that the time does not tell that the name was right.
	if sameText(user, username)&sameText(pass, password) != 1 {
		return http.StatusUnauthorized
	}
	return 0
}

// sameText is 1 if a is b. Its time tells nothing of what they have in common, nor of b's length.
func sameText(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}
