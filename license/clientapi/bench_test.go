package clientapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"goldfish/hub"
	"goldfish/license/clientapi"
	"goldfish/license/licensetest"
	"goldfish/license/web"
)

// BenchmarkVerify is a proved call through the whole dialect, without the network.
func BenchmarkVerify(b *testing.B) {
	w := licensetest.New(b)
	api := web.New(web.Options{Authority: w.Authority})
	h := hub.New(hub.Options{})
	b.Cleanup(func() { _ = h.Close(b.Context()) })
	if _, err := clientapi.New(api, h); err != nil {
		b.Fatal(err)
	}
	s := &site{World: w, api: api}
	app := w.App(nil)
	d := s.device(app, 1)
	key := w.Keys(app, 1, licensetest.Month)[0]
	if _, err := d.Activate(w.Customer(), key, nil); err != nil {
		b.Fatal(err)
	}
	l := d.seal(d.letter(verify, m{"card_key": key}))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", verify, strings.NewReader(string(l.raw)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Goldfish-Proof", l.proof)
		out := httptest.NewRecorder()
		api.ServeHTTP(out, r)
		if out.Code != http.StatusOK {
			b.Fatal(out.Body)
		}
	}
}
