package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// types maps the extensions of the served files to their media types, and whether
// they are worth compressing. The system's own table may be missing or incomplete.
var types = map[string]struct {
	media string
	text  bool
}{
	".html":        {"text/html; charset=utf-8", true},
	".js":          {"text/javascript; charset=utf-8", true},
	".css":         {"text/css; charset=utf-8", true},
	".json":        {"application/json", true},
	".webmanifest": {"application/manifest+json", true},
	".svg":         {"image/svg+xml", true},
	".txt":         {"text/plain; charset=utf-8", true},
	".ttf":         {"font/ttf", true},
	".woff":        {"font/woff", false},
	".woff2":       {"font/woff2", false},
	".png":         {"image/png", false},
	".ico":         {"image/x-icon", true},
}

const (
	// The names of assets contain a hash of their content.
	immutable = "public, max-age=31536000, immutable"
	// Browsers revalidate anything else on each use, mostly without a transfer.
	revalidated = "no-cache"
)

// file is a file to serve, both plain and compressed.
type file struct {
	media   string
	caching string
	plain   body
	gzipped func() body // computed on first use; empty if compression saves nothing
}

type body struct {
	bytes []byte
	etag  string
}

func newFile(name string, raw []byte) *file {
	kind, known := types[path.Ext(name)]
	if !known {
		kind.media = "application/octet-stream"
	}
	f := &file{media: kind.media, caching: revalidated, plain: newBody(raw), gzipped: func() body { return body{} }}
	if strings.HasPrefix(name, "assets/") {
		f.caching = immutable
	}
	if kind.text {
		f.gzipped = sync.OnceValue(func() body { return compress(raw) })
	}
	return f
}

func newBody(b []byte) body {
	sum := sha256.Sum256(b)
	return body{b, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

func compress(raw []byte) body {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(raw)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil || b.Len() >= len(raw) {
		return body{}
	}
	return newBody(b.Bytes())
}

// serve responds with the file, or with 304 if the browser already has it.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", f.caching)
	h.Add("Vary", "Accept-Encoding")
	sent := f.plain
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		if z := f.gzipped(); z.bytes != nil {
			sent = z
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", sent.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(sent.bytes))
}

// acceptsGzip reports whether the Accept-Encoding values allow gzip: by name or by a
// wildcard, with a weight that is not zero.
func acceptsGzip(values []string) bool {
	accepts := false
	for _, coding := range strings.Split(strings.Join(values, ","), ",") {
		name, weight, weighed := strings.Cut(coding, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "gzip" && name != "*" {
			continue
		}
		_, q, _ := strings.Cut(weight, "=")
		n, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		accepts = !weighed || err == nil && n > 0
		if name == "gzip" {
			return accepts // the name takes precedence over a wildcard
		}
	}
	return accepts
}
