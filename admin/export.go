package admin

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"goldfish/license"
	"goldfish/license/web"
)

type exportIn struct {
	CardFilter
	Format string `query:"format" enum:"csv" default:"csv"`
}

func (c *Console) registerExports(a *web.API) {
	web.RouteFile(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/exports/cards", ID: "exportCards", Tag: "cards", Summary: "导出卡密 · Export card keys",
		Detail: "UTF-8 带标记的 CSV,可直接用 Excel 打开;表头为调用者的语言。CSV in UTF-8 with its mark, which Excel opens as it is; " +
			"the header is in the caller's language.",
		Permission: license.ExportCards, Errors: []int{404},
	}, "text/csv", c.exportCards)
}

func (c *Console) exportCards(call *web.Call, in *exportIn) (web.File, error) {
	f, err := c.filter(in.CardFilter)
	if err != nil {
		return web.File{}, err
	}
	return web.File{
		Name: exportName(f, call.Now()), Type: "text/csv; charset=utf-8",
		Write: func(w io.Writer) error {
			table := &cardTable{out: w, lang: call.Lang}
			if err := c.rules.ExportCards(call.Actor, f, table.add); err != nil {
				return err
			}
			return table.end()
		},
	}, nil
}

// exportName tells one export from another in a folder.
func exportName(f license.CardFilter, now time.Time) string {
	name := "goldfish-cards"
	if f.Batch != nil {
		name += "-" + f.Batch.Name
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r) {
			return r
		}
		return '_'
	}, name)
	return clean + "-" + now.UTC().Format("20060102T150405Z") + ".csv"
}

// cardColumns are the columns of the export: the code of the heading, and the cell.
var cardColumns = []struct {
	heading string
	cell    func(web.Lang, *license.CardView) string
}{
	{"csv_card_key", func(_ web.Lang, v *license.CardView) string { return v.Text.Key() }},
	{"csv_state", func(l web.Lang, v *license.CardView) string { return l.Say("card_state_"+v.State.String(), nil) }},
	{"csv_app", func(l web.Lang, v *license.CardView) string {
		if v.App == nil {
			return ""
		}
		return v.App.Name.In(l.String())
	}},
	{"csv_batch", func(_ web.Lang, v *license.CardView) string { return v.Batch.Name }},
	{"csv_validity", validityText},
	{"csv_devices", func(_ web.Lang, v *license.CardView) string { return strconv.Itoa(v.Batch.Terms.Devices) }},
	{"csv_bound", func(_ web.Lang, v *license.CardView) string { return strconv.Itoa(v.Bound) }},
	{"csv_account", func(_ web.Lang, v *license.CardView) string {
		if v.Account == nil {
			return ""
		}
		return v.Account.Username
	}},
	{"csv_activated_at", func(_ web.Lang, v *license.CardView) string { return stamp(v.Card.Activated) }},
	{"csv_ends_at", func(_ web.Lang, v *license.CardView) string { return stamp(v.Card.Ends) }},
	{"csv_tier", func(_ web.Lang, v *license.CardView) string { return v.Batch.Terms.Tier }},
	{"csv_features", func(_ web.Lang, v *license.CardView) string { return strings.Join(v.Batch.Terms.Features, " ") }},
	{"csv_price_label", func(_ web.Lang, v *license.CardView) string { return v.Batch.Price }},
	{"csv_note", func(_ web.Lang, v *license.CardView) string {
		if v.Text.Note == "" {
			return v.Batch.Note
		}
		return v.Text.Note
	}},
	{"csv_created_at", func(_ web.Lang, v *license.CardView) string { return stamp(v.Batch.Created) }},
}

// cardTable writes CSV (RFC 4180: CRLF) in UTF-8 with the mark by which Excel knows it.
type cardTable struct {
	out  io.Writer
	lang web.Lang
	csv  *csv.Writer // nil before the heading is written
	row  []string
}

const utf8Mark = "\uFEFF"

func (t *cardTable) begin() error {
	if t.csv != nil {
		return nil
	}
	if _, err := io.WriteString(t.out, utf8Mark); err != nil {
		return err
	}
	t.csv, t.row = csv.NewWriter(t.out), make([]string, len(cardColumns))
	t.csv.UseCRLF = true
	for i, col := range cardColumns {
		t.row[i] = t.lang.Say(col.heading, nil)
	}
	return t.csv.Write(t.row)
}

// add writes some rows and sends them on.
func (t *cardTable) add(views []license.CardView) error {
	if err := t.begin(); err != nil {
		return err
	}
	for i := range views {
		for n, col := range cardColumns {
			t.row[n] = inert(col.cell(t.lang, &views[i]))
		}
		if err := t.csv.Write(t.row); err != nil {
			return err
		}
	}
	t.csv.Flush()
	return t.csv.Error()
}

func (t *cardTable) end() error { return t.add(nil) }

// inert keeps a spreadsheet from taking a cell for a formula: text that begins with a character by which one
// begins, also in its full-width form and also behind blanks and invisible characters, gets an apostrophe in
// front (OWASP, CSV Injection).
func inert(cell string) string {
	seen := strings.TrimLeftFunc(cell, func(r rune) bool {
		return r != '\t' && r != '\r' && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r))
	})
	if seen != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(seen)[0]) {
		return "'" + cell
	}
	return cell
}

func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.DateTime)
}

// validityText says how long a key is good for in the largest unit that is exact.
func validityText(l web.Lang, v *license.CardView) string {
	t := v.Batch.Terms
	switch t.Kind {
	case license.Permanent:
		return l.Say("validity_permanent", nil)
	case license.Until:
		return l.Say("validity_until", map[string]any{"until": stamp(t.Until)})
	}
	for _, unit := range []struct {
		code    string
		seconds int64
	}{{"validity_days", 86400}, {"validity_hours", 3600}, {"validity_minutes", 60}} {
		if t.Seconds%unit.seconds == 0 {
			return l.Say(unit.code, map[string]any{"n": t.Seconds / unit.seconds})
		}
	}
	return l.Say("validity_seconds", map[string]any{"n": t.Seconds})
}
