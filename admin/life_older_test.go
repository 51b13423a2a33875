package admin

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/license"
)

// older makes a data folder with a file of the first release, and gives the key that opens it.
func older(t *testing.T) (data string, key []byte) {
	t.Helper()
	from := filepath.Join("..", "license", "testdata")
	f, err := os.Open(filepath.Join(from, "v1.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var raw, text []byte
	z, err := gzip.NewReader(f)
	if err == nil {
		raw, err = io.ReadAll(z)
	}
	data = t.TempDir()
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "goldfish.db"), raw, 0o600)
	}
	if err == nil {
		text, err = os.ReadFile(filepath.Join(from, "golden.key"))
	}
	if err == nil {
		key, err = hex.DecodeString(strings.TrimSpace(string(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return data, key
}

// freePort is one that nobody listens at.
func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

func TestAnOlderFileIsBroughtUpToDateBeforeItAnswers(t *testing.T) {
	data, key := older(t)
	arrived, goOn := make(chan struct{}), make(chan struct{})
	settings := at(data)
	settings.ConsoleListen.Port, settings.APIListen.Port = freePort(t), freePort(t)
	a := begin(t, settings, func(self *alive) {
		self.key = key
		self.clock.Set(time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC))
		plain, stop := self.Options, sync.OnceFunc(func() { close(arrived); <-goOn })
		self.Options = func(create bool) (license.Options, error) {
			o, err := plain(create)
			o.Clock = func() time.Time { // the steps ask for the time once the snapshot is there
				if _, err := os.Stat(filepath.Join(data, "goldfish.db.before-v2")); err == nil {
					stop()
				}
				return self.clock.Now()
			}
			return o, err
		}
	})
	<-arrived
	<-a.started // whoever waits for the start must not lose patience
	a.console, a.client = settings.ConsoleListen.URL(nil), settings.APIListen.URL(nil)
	a.away("migrate", "starting", "5")
	if s := a.state(); s["done"].(float64) <= 0 || s["done"].(float64) >= s["total"].(float64) {
		t.Errorf("%v", s)
	}
	_, _, out := a.call("GET", a.console+"/", "", nil)
	if page := out["raw"].(string); !strings.Contains(page, "<progress value=") || !strings.Contains(page, "正在把数据文件升级到新版本") {
		t.Errorf("%s", page)
	}
	close(goOn)
	a.again()
	token := a.signIn("admin", "Demo-Vendor-2026!")
	if status, _, out := a.call("GET", a.console+adminPath+"/apps", token, nil); status != 200 || len(out["data"].(map[string]any)["items"].([]any)) != 1 {
		t.Errorf("%d %v", status, out)
	}
	if s := a.state(); s["state"] != "ready" || s["done"] != 0.0 {
		t.Errorf("%v", s)
	}
}
