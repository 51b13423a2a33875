package clientapi_test

import (
	"strings"
	"testing"
	"time"

	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/licensetest"
)

// TestReceiptsOverHTTP: two devices whose binding is lost by a restore, one by verify, one by its heartbeat.
func TestReceiptsOverHTTP(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 2, licensetest.Month)
	copied := w.Copy()
	w.Clock.Advance(time.Hour)
	who := w.Customer()
	var cards, leases []string
	for n, key := range keys {
		got, err := w.Device(app, n).Activate(who, key, nil)
		w.Must(err)
		cards, leases = append(cards, got.CardID), append(leases, got.Verdict)
	}
	s := serveWith(t, w.Restored(copied), hub.Options{})
	for n, path := range []string{verify, heartbeat} {
		d := s.device(app, n)
		wanted := d.ask(d.letter(path, m{"card_id": cards[n]}), 409, "wait", "receipt_wanted")
		if wanted.Card != nil || wanted.Subject != "" || wanted.Epoch != 2 {
			t.Errorf("the wish tells %+v", wanted.Claims)
		}
		d.ask(d.letter(path, m{"card_id": cards[n], "receipt": strings.Repeat("x", 4096)}), 403, "stop", "card_unused")
		d.ask(d.letter(path, m{"card_id": cards[n], "receipt": leases[1-n]}), 403, "stop", "card_unused")
		back := d.ask(d.letter(path, m{"card_id": cards[n], "receipt": leases[n], "ticket": true}), 200, "run", "valid")
		if back.Card.ID != cards[n] || back.dataText("card_id") != cards[n] || back.dataText("state") != "active" || back.dataText("ticket") == "" {
			t.Errorf("the answer is %s", back.raw)
		}
		d.ask(d.letter(heartbeat, m{"card_id": cards[n], "receipt": leases[n]}), 200, "run", "valid") // needless, and harmless
	}
	if got, err := s.Overview(license.System); err != nil || got.Online != 2 {
		t.Errorf("%d online, %v", got.Online, err)
	}
}
