package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"goldfish/assets"
)

const nonceMark = "__CSP_NONCE__"

// pagePolicy is what the console's pages may load: what the appliance itself serves, scripts and styles with
// this answer's nonce alone. %[1]s is the nonce.
const pagePolicy = "default-src 'none'; script-src 'self' 'nonce-%[1]s'; style-src 'self' 'nonce-%[1]s'; img-src 'self' data: blob:; " +
	"font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

const permissionsPolicy = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(self), " +
	"geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=()"

// fileTypes are those of the built console: what the operating system says of a name is not asked.
var fileTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/x-icon", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".md": "text/plain; charset=utf-8", ".png": "image/png", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
	".webp": "image/webp", ".woff2": "font/woff2",
}

// hashedFolder holds files whose names change with their content.
const hashedFolder = "assets/"

// Pages serves the built console: its files by name, and its one page for every other path, which the console
// itself makes sense of.
func Pages() (http.Handler, error) {
	dist, err := fs.Sub(assets.UI, "ui/dist")
	if err != nil {
		return nil, err
	}
	return newPages(dist, rand.Reader)
}

type pages struct {
	dist  fs.FS
	index string
	rand  io.Reader
}

func newPages(dist fs.FS, rand io.Reader) (*pages, error) {
	index, err := fs.ReadFile(dist, "index.html")
	if err != nil {
		return nil, fmt.Errorf("admin: the console is not built: %w", err)
	}
	if !bytes.Contains(index, []byte(nonceMark)) {
		return nil, fmt.Errorf("admin: the console's page has no %s", nonceMark)
	}
	return &pages{dist: dist, index: string(index), rand: rand}, nil
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", permissionsPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" || name == "index.html" {
		p.page(w)
		return
	}
	raw, err := fs.ReadFile(p.dist, name)
	switch kind := fileTypes[path.Ext(name)]; {
	case err == nil && kind != "":
		p.file(w, r, name, kind, raw)
	case strings.HasPrefix(name, hashedFolder): // of another build; a page in its place would not run
		h.Set("Cache-Control", "no-store")
		http.Error(w, "404", http.StatusNotFound)
	default:
		p.page(w)
	}
}

func (p *pages) file(w http.ResponseWriter, r *http.Request, name, kind string, raw []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, hashedFolder) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(raw))
}

// page sends the one page with a nonce that nobody can foretell.
func (p *pages) page(w http.ResponseWriter) {
	var b [16]byte
	if _, err := io.ReadFull(p.rand, b[:]); err != nil {
		http.Error(w, "500", http.StatusInternalServerError)
		return
	}
	nonce := base64.RawURLEncoding.EncodeToString(b[:])
	h := w.Header()
	h.Set("Content-Type", fileTypes[".html"])
	h.Set("Content-Security-Policy", fmt.Sprintf(pagePolicy, nonce))
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, strings.ReplaceAll(p.index, nonceMark, nonce))
}
