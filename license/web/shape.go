package web

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"goldfish/license"
	"goldfish/license/fault"
)

// Envelope is the body of every success.
type Envelope[T any] struct {
	Success bool   `json:"success" example:"true" doc:"Always true"`
	Message string `json:"message" doc:"What was done, in the caller's language"`
	Data    T      `json:"data"`
}

// Said is embedded by the few bodies that have members beside the envelope's (RFC 6749 wants tokens at the top). Such a
// body is the whole answer, its own member "data" included.
type Said struct {
	Success bool   `json:"success" example:"true" doc:"Always true"`
	Message string `json:"message" doc:"What was done, in the caller's language"`
}

func (s *Said) say(message string) { s.Success, s.Message = true, message }

type speaker interface{ say(message string) }

// None is the data of an answer that has none: {}.
type None struct{}

// List is the data of a list: a page and the cursor with which it goes on, empty at the end.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next" doc:"Cursor of the next page, empty at the end"`
}

// Page is embedded by the input of a list.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most items of the page"`
	Cursor string `query:"cursor" maxLength:"64" doc:"The member next of the page before"`
}

// Before reads the cursor, an outer id of the noun that the list is sorted by; 0 for the first page. in is IDs.In.
func Before[ID any](p Page, in func(license.Noun, string) (ID, error), n license.Noun) (id ID, err error) {
	if p.Cursor == "" {
		return id, nil
	}
	if id, err = in(n, p.Cursor); err != nil {
		return id, fault.New(fault.Invalid, "cursor_invalid").In("cursor")
	}
	return id, nil
}

// Time is Unix milliseconds; on the wire RFC 3339 in UTC with whole seconds, and null for 0.
type Time int64

// At is the Time of a time.Time.
func At(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMilli())
}

// MarshalJSONTo writes it.
func (t Time) MarshalJSONTo(e *jsontext.Encoder) error {
	if t == 0 {
		return e.WriteToken(jsontext.Null)
	}
	return e.WriteToken(jsontext.String(time.UnixMilli(int64(t)).UTC().Format(time.RFC3339)))
}

// UnmarshalJSONFrom reads it; the schema has been checked before.
func (t *Time) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	token, err := d.ReadToken()
	if err != nil || token.Kind() == 'n' {
		*t = 0
		return err
	}
	at, err := time.Parse(time.RFC3339, token.String())
	if err != nil {
		return err
	}
	if *t = At(at); *t == 0 { // 1970-01-01T00:00:00Z was said, and is not null
		*t = 1
	}
	return nil
}

// Schema is a date-time that may be null.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true, Examples: []any{"2026-11-23T14:00:00Z"}}
}

// Text is what a vendor writes for customers, in one language or both.
type Text struct {
	ZH string `json:"zh,omitzero" doc:"中文" example:"画图"`
	EN string `json:"en,omitzero" doc:"English" example:"Paint"`
}

// Rules gives it to the rules.
func (t Text) Rules() license.Text { return license.Text{ZH: t.ZH, EN: t.EN} }

// TextOf shows what the rules kept.
func TextOf(t license.Text) Text { return Text{t.ZH, t.EN} }
