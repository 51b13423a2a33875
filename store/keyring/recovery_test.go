package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCodeIsReadAsItIsTyped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code, err := NewCode(bytes.NewReader(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "bits")))
		if err != nil {
			t.Fatal(err)
		}
		text := code.Text()
		if len(text) != 41 || strings.Count(text, "-") != 6 || strings.Trim(text, codeAlphabet+"-") != "" {
			t.Fatalf("%q", text)
		}
		wide := strings.Map(func(r rune) rune { return r + 0xFF01 - 0x21 }, text)
		for _, typed := range []string{
			text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(text, "-", "　"), " " + text + "\r\n", wide,
			strings.ReplaceAll(strings.ReplaceAll(text, "0", "o"), "1", "l"), strings.ReplaceAll(text, "1", "I"), strings.ReplaceAll(text, "-", "–"),
		} {
			if got, err := ParseCode(typed); err != nil || !got.Equal(code) {
				t.Fatalf("typed as %q: %v", typed, err)
			}
		}
	})
}

// Of slips of one character, and of two neighbours that were exchanged, one in 32,768 is not found.
func TestSlipsAreFound(t *testing.T) {
	code, err := NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(code.Text(), "-", "")
	tried, taken := 0, 0
	try := func(typed string) {
		if typed == text {
			return
		}
		tried++
		if _, err := ParseCode(typed); err == nil {
			taken++
		}
	}
	for i := range text {
		for _, letter := range codeAlphabet {
			try(text[:i] + string(letter) + text[i+1:])
		}
		if i > 0 {
			try(text[:i-1] + text[i:i+1] + text[i-1:i] + text[i+1:])
		}
	}
	if tried < 1000 || taken > 2 {
		t.Errorf("%d of %d slips are taken", taken, tried)
	}
	for _, typed := range []string{"", "-", text[:34], text + "0", "U" + text[1:], strings.Repeat(text, 9), strings.Repeat(" ", 300), "鱼" + text[1:], "\xff" + text} {
		if _, err := ParseCode(typed); !errors.Is(err, ErrCode) {
			t.Errorf("%.50q: %v", typed, err)
		}
	}
}

func TestNoCodeEqualsNothing(t *testing.T) {
	code, err := NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if (Code{}).Equal(Code{}) || code.Equal(Code{}) || !code.Equal(code) || (Code{}).Text() != "" || !(Code{}).IsZero() {
		t.Error("the zero code is taken for one")
	}
	if _, err := NewCode(strings.NewReader("short")); err == nil {
		t.Error("a code of no randomness")
	}
	if _, err := DraftRecovery(Code{}, rand.Reader); err == nil {
		t.Error("a slot of no code")
	}
}
