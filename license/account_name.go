package license

import (
	"net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"goldfish/license/fault"
)

// Bounds of what an account is found by.
const (
	usernameLeast = 3   // characters
	usernameMost  = 32  // characters
	emailMost     = 254 // bytes (RFC 5321, 4.5.3.1.3)
)

// foldName is the form in which user names and e-mail addresses are compared and looked up: NFC, lower case,
// without blanks around. Folding twice changes nothing.
func foldName(s string) string {
	return norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(s))))
}

// usernameOf puts a new user name into its kept form, or refuses it with username_invalid: 3 to 32 letters,
// digits and _ . - that can be mistaken for no other name by a trick of the character set.
func usernameOf(s string) (string, error) {
	bad := fault.New(fault.Invalid, "username_invalid").In("username").
		With("least", usernameLeast).With("most", usernameMost)
	if !utf8.ValidString(s) {
		return "", bad
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	if n := utf8.RuneCountInString(s); n < usernameLeast || n > usernameMost || !plainName(s) {
		return "", bad
	}
	return s, nil
}

// mixable are the scripts that people mix in one name and nobody mistakes for one another: the "highly
// restrictive" profile of Unicode Technical Standard 39, section 5.2. All others stand alone.
var mixable = []string{"Latin", "Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"}

// plainName says whether a name in NFC has only characters that look like what they are: no full-width,
// mathematical or other second forms of a character (NFKC would change them), nothing invisible, no letters
// of scripts with look-alikes side by side, no marks piled up.
func plainName(s string) bool {
	if !norm.NFKC.IsNormalString(s) {
		return false
	}
	var group string
	var before rune // the last character if it was a letter or a mark
	solid := false  // there is a letter or a digit
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			before, solid = 0, true
			continue
		case r == '_' || r == '.' || r == '-':
			before = 0
			continue
		case unicode.Is(unicode.M, r) && (before == 0 || before == r):
			return false
		}
		script := scriptOf(r)
		if slices.Contains(mixable, script) {
			script = mixable[0]
		}
		if script == "" || group != "" && script != group {
			return false
		}
		group, before, solid = script, r, true
	}
	return solid
}

// scriptOf names the script of a letter, or of a mark that belongs to one script; "" for everything else,
// for letters that are shown as nothing (Hangul fillers) and for marks that fit any script.
func scriptOf(r rune) string {
	if r == 'ー' { // Common by Unicode, as it also stands after Hiragana
		return "Katakana"
	}
	if !unicode.In(r, unicode.L, unicode.M) || invisible(r) {
		return ""
	}
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

func invisible(r rune) bool {
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// emailOf puts an e-mail address into its kept form, or refuses it with email_invalid. The empty one is
// none. Only syntax is judged: local@domain.tld without comments, quotes or literals (RFC 5322, 3.4.1).
func emailOf(s string) (string, error) {
	bad := fault.New(fault.Invalid, "email_invalid").In("email").With("most", emailMost)
	if !utf8.ValidString(s) {
		return "", bad
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	if s == "" {
		return "", nil
	}
	local, domain, _ := strings.Cut(s, "@")
	if len(s) > emailMost || len(local) > 64 || strings.ContainsFunc(s, invisible) || !isDomain(domain) {
		return "", bad
	}
	if parsed, err := mail.ParseAddress(s); err != nil || parsed.Address != s {
		return "", bad
	}
	return s, nil
}

// isDomain takes at least two labels of letters, digits and inner hyphens (RFC 1035, 2.3.1; letters of any
// script, RFC 5890).
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && !unicode.In(r, unicode.L, unicode.M, unicode.Nd)
		}) {
			return false
		}
	}
	return len(labels) > 1
}
