package license_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

func announce(w *licensetest.World, change func(*license.NewAnnouncement)) *license.Announcement {
	w.T.Helper()
	in := license.NewAnnouncement{
		Type: "notice", Priority: "low", Title: license.Text{ZH: "标题"}, Body: license.Text{EN: "Body"}, Publish: true,
	}
	if change != nil {
		change(&in)
	}
	n, err := w.CreateAnnouncement(w.Owner, in)
	w.Must(err)
	return n
}

// heard are an app's notices as number and kind.
func heard(w *licensetest.World, app *license.App) string {
	w.T.Helper()
	list, more, err := w.Notices(app.UUID, "", 0, 100)
	w.Must(err)
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%d %s", p.Seq, p.Kind))
	}
	if more {
		out = append(out, "more")
	}
	return strings.Join(out, ", ")
}

// TestNewAppGetsWhatHolds: an announcement to all apps is for one that is registered later too, if it still holds.
func TestNewAppGetsWhatHolds(t *testing.T) {
	w := licensetest.New(t)
	first := w.App(nil)
	holds := announce(w, nil)
	announce(w, func(in *license.NewAnnouncement) { in.Apps = append(in.Apps, first.UUID) })
	announce(w, func(in *license.NewAnnouncement) { in.Ends = w.Clock.Now().Add(time.Hour).UnixMilli() })
	gone := announce(w, nil)
	announce(w, func(in *license.NewAnnouncement) { in.Publish = false })
	_, err := w.WithdrawAnnouncement(w.Owner, gone.ID)
	w.Must(err)
	w.Clock.Advance(time.Hour)
	later := w.App(nil)
	if got := heard(w, later); got != "1 announcement" {
		t.Errorf("the new app hears %q", got)
	}
	if got := heard(w, first); got != "1 announcement, 2 announcement, 5 withdrawn" {
		t.Errorf("the first app hears %q", got)
	}
	state, err := w.PushState(later.ID)
	if err != nil || state.Seq != 1 || state.News != 1 {
		t.Errorf("%+v %v", state, err)
	}
	events, err := w.RecentEvents(1, 10, nil)
	if e := events[0].Event; err != nil || e.Kind != license.AnnouncementPublished || e.App != later.ID || e.Args["seq"] != "1" {
		t.Errorf("recorded %+v", e)
	}
	_, err = w.WithdrawAnnouncement(w.Owner, holds.ID)
	w.Must(err)
	if got := heard(w, later); got != "2 withdrawn" {
		t.Errorf("withdrawn again, the new app hears %q", got)
	}
}

// TestWithdrawnGoesWhereItWas: an app that never had the announcement is not told to hide it.
func TestWithdrawnGoesWhereItWas(t *testing.T) {
	w := licensetest.New(t)
	early := announce(w, nil) // before there is any app
	app, other := w.App(nil), w.App(nil)
	n := announce(w, func(in *license.NewAnnouncement) { in.Apps = append(in.Apps, app.UUID) })
	_, err := w.WithdrawAnnouncement(w.Owner, n.ID)
	w.Must(err)
	if a, b := heard(w, app), heard(w, other); a != "1 announcement, 3 withdrawn" || b != "1 announcement" {
		t.Errorf("%q, the other %q", a, b)
	}
	_, err = w.WithdrawAnnouncement(w.Owner, early.ID)
	w.Must(err)
	nowhere := announce(w, func(in *license.NewAnnouncement) { in.Publish = false })
	if _, err := w.WithdrawAnnouncement(w.Owner, nowhere.ID); codeOf(err) != "announcement_not_published" {
		t.Errorf("a draft: %v", err)
	}
}

// TestLongestAnnouncementFitsItsToken: whatever the limits let a vendor write can be signed and read back.
func TestLongestAnnouncementFitsItsToken(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	pins, err := verdict.NewPins(verdict.Encode64(app.Keys[0].Public))
	w.Must(err)
	for i, sign := range []string{"<", "\"", "\\", "字", "🐟", "\n", "&", "é", "\u0635"} {
		body := "." + strings.Repeat(sign, 4998) + "." // blanks at the ends are cut
		text := license.Text{ZH: body, EN: body}
		title := license.Text{ZH: strings.ReplaceAll(body[:1]+strings.Repeat(sign, 100)+".", "\n", " "), EN: "."}
		announce(w, func(in *license.NewAnnouncement) { in.Title, in.Body = title, text })
		list, _, err := w.Notices(app.UUID, "", uint64(i), 100)
		if err != nil || len(list) != 1 {
			t.Fatalf("%q: %d notices, %v", sign, len(list), err)
		}
		n, err := verdict.CheckNotice(list[0].Token, pins, app.UUID.String(), 0)
		var data struct{ Title, Body map[string]string }
		if err != nil || len(list[0].Token) > verdict.MaxNotice || json.Unmarshal(n.Data, &data) != nil ||
			data.Body["en"] != body || data.Title["zh"] != title.ZH {
			t.Errorf("%q: a token of %d bytes, %v", sign, len(list[0].Token), err)
		}
	}
	for _, sign := range []string{"\u2028", "\u2029", "\u202e", "\u2066", "\x00", "\x7f", "\ufeff"} {
		in := license.NewAnnouncement{Type: "notice", Priority: "low", Title: license.Text{ZH: "a" + sign + "b"}, Body: license.Text{ZH: "c"}}
		if _, err := w.CreateAnnouncement(w.Owner, in); codeOf(err) != "text_invalid" || fault.Of(err).Field != "title.zh" {
			t.Errorf("%q: %v", sign, err)
		}
	}
	in := license.NewAnnouncement{Type: "notice", Priority: "low", Title: license.Text{ZH: "مرحبا 👨‍👩‍👧 नमस्ते"}, Body: license.Text{EN: strings.Repeat("🐟", 5001)}}
	if _, err := w.CreateAnnouncement(w.Owner, in); codeOf(err) != "text_too_long" {
		t.Errorf("one too many: %v", err)
	}
}

func TestNoticesForAnUnknownKey(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	announce(w, nil)
	for _, kid := range []string{"0123456789abcdef", "x"} {
		if _, _, err := w.Notices(app.UUID, kid, 0, 10); codeOf(err) != "keys_unknown" || fault.Of(err).Kind != fault.Invalid {
			t.Errorf("%q: %v", kid, err)
		}
	}
	if _, _, err := w.Notices([16]byte{1}, "", 0, 10); codeOf(err) != "app_unknown" {
		t.Errorf("%v", err)
	}
}

// TestNoticesHaveOneToken: all that ask at once get the same bytes, by key, and new ones in a new epoch.
func TestNoticesHaveOneToken(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	for range 5 {
		announce(w, nil)
	}
	read := func(kid string) (tokens string) {
		list, _, err := w.Notices(app.UUID, kid, 0, 100)
		if err != nil {
			t.Error(err)
		}
		for _, p := range list {
			tokens += p.Token + "\n"
		}
		return tokens
	}
	kids := []string{verdict.KeyID(app.Keys[0].Public), verdict.KeyID(app.Keys[1].Public)}
	one, two := read(kids[0]), read(kids[1])
	if one == two || one != read("") {
		t.Error("the current key's tokens are not its own")
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if got := read(kids[i%2]); got != []string{one, two}[i%2] {
				t.Error("another token for the same notice")
			}
		})
	}
	wg.Wait()
	w.Clock.Advance(-time.Hour)
	w.Must(w.CheckClock())
	if read("") == one {
		t.Error("the tokens are of an epoch that is over")
	}
}
