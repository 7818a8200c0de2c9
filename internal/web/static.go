package web

import (
	"bytes"
	"embed"
	"net/http"
	"path"
	"strings"

	"holdfast/internal/httpd"
)

// staticFiles have the names of the original's, and are drawn anew: see images_test.go.
//
//go:embed static
var staticFiles embed.FS

var staticTypes = map[string]string{".css": "text/css", ".gif": "image/gif", ".png": "image/png"}

// static answers with a file, or with 404.
//
// Differs: a directory, the original's templates by their names (/status.html) and a path with two
// slashes in it are 404 too.
func (h *handler) static(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimLeft(r.URL.Path, "/")
	data, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		httpd.Error(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", staticTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache") // ask each time: after an upgrade it may be another
	http.ServeContent(w, r, "", h.since, bytes.NewReader(data))
}
