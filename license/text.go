package license

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"goldfish/license/fault"
)

// Text is what a vendor writes for customers, in Chinese, English or both.
type Text struct {
	ZH string `cbor:"1,keyasint,omitempty"`
	EN string `cbor:"2,keyasint,omitempty"`
}

// In gives the text in a language ("en", otherwise Chinese), falling back to the other one.
func (t Text) In(lang string) string {
	if lang == "en" && t.EN != "" || t.ZH == "" {
		return t.EN
	}
	return t.ZH
}

// IsZero says that nothing is written in either language.
func (t Text) IsZero() bool { return t == Text{} }

// textOf trims both languages and refuses what is too long, not UTF-8 or holds control characters other than
// line breaks and tabs where lines are allowed. field names the input member.
func textOf(t Text, field string, most int, required, lines bool) (Text, error) {
	var err error
	if t.ZH, err = line(t.ZH, field+".zh", most, lines); err != nil {
		return t, err
	}
	if t.EN, err = line(t.EN, field+".en", most, lines); err != nil {
		return t, err
	}
	if required && t.IsZero() {
		return t, fault.New(fault.Invalid, "text_required").In(field)
	}
	return t, nil
}

// line checks one piece of vendor-written text, without the blank and invisible characters around it; most counts
// characters.
func line(s, field string, most int, lines bool) (string, error) {
	s = strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) && !forbiddenRune(r, lines)
	})
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return forbiddenRune(r, lines) }) {
		return "", fault.New(fault.Invalid, "text_invalid").In(field)
	}
	if utf8.RuneCountInString(s) > most {
		return "", fault.New(fault.Invalid, "text_too_long").In(field).With("most", most)
	}
	return s, nil
}

// forbiddenRune refuses control characters, the separators that some programs take for line breaks, and the
// bidirectional overrides that make a text read otherwise than it is written.
func forbiddenRune(r rune, lines bool) bool {
	switch {
	case lines && (r == '\n' || r == '\t' || r == '\r'):
		return false
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		return true
	case r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff:
		return true
	}
	return false
}
