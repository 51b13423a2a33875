package admin

import (
	"crypto/rand"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"goldfish/license/web"
)

// waiting is what a browser sees while something is being done to the file. It needs no script and asks again by
// itself.
var waiting = template.Must(template.New("waiting").Parse(`<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>Goldfish 金鱼智盒</title>
<style nonce="{{.Nonce}}">
body { margin: 20vh auto; max-width: 32rem; padding: 0 1rem; font-family: system-ui, sans-serif; line-height: 1.6; color: #1f1f1f }
progress { width: 100% }
</style>
</head>
<body>
<h1>Goldfish 金鱼智盒</h1>
<p>{{.ZH}}</p>
<p lang="en">{{.EN}}</p>
{{if .Total}}<progress value="{{.Done}}" max="{{.Total}}"></progress>{{end}}
</body>
</html>
`))

const waitingPolicy = "default-src 'none'; style-src 'nonce-%s'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// waitingRoom serves the console's pages while the appliance is sealed, for its owner to sign in. In the phases that pass by
// themselves a page says so instead; files that a page already open may still want are served all the same.
func waitingRoom(s *standing, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, err := s.state(web.Chinese)
		if err != nil || at.State == phaseSealed || strings.HasPrefix(r.URL.Path, "/"+hashedFolder) {
			pages.ServeHTTP(w, r)
			return
		}
		var b [16]byte
		_, _ = rand.Read(b[:])
		nonce := base64.RawURLEncoding.EncodeToString(b[:])
		code := "work_" + at.Work
		if at.Work == "" {
			code = "starting"
		}
		h := w.Header()
		h.Set("Content-Type", fileTypes[".html"])
		h.Set("Content-Security-Policy", strings.Replace(waitingPolicy, "%s", nonce, 1))
		h.Set("Retry-After", strconv.Itoa(int(startingAgain.Seconds())))
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = waiting.Execute(w, map[string]any{
			"Nonce": nonce, "ZH": web.Chinese.Say(code, nil), "EN": web.English.Say(code, nil), "Done": at.Done, "Total": at.Total,
		})
	})
}
