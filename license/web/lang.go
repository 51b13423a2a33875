package web

import (
	"fmt"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"golang.org/x/text/language"

	"goldfish/assets"
)

// Lang is a language that the appliance speaks.
type Lang uint8

// Chinese comes first: it is spoken to whoever asks for neither.
const (
	Chinese Lang = iota
	English
)

var (
	langNames   = [...]string{Chinese: "zh", English: "en"}
	langMatcher = language.NewMatcher([]language.Tag{language.Chinese, language.English})
)

// String is "zh" or "en", as license.Text.In and Content-Language take it.
func (l Lang) String() string { return langNames[l] }

// ParseLang chooses by an Accept-Language header (RFC 9110 §12.5.4).
func ParseLang(accept string) Lang {
	first, _, _ := strings.Cut(accept, ",")
	primary, _, _ := strings.Cut(first, "-")
	if strings.Contains(first, ";") { // weighed: the first need not be the best
		primary = "?"
	}
	switch strings.TrimSpace(primary) { // what almost everybody sends
	case "", "zh":
		return Chinese
	case "en":
		return English
	}
	if len(accept) > 1000 {
		return Chinese
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return Chinese
	}
	_, i, confidence := langMatcher.Match(tags...)
	if confidence == language.No {
		return Chinese
	}
	return Lang(i)
}

// sentence is text with gaps: text[0] gap[0] text[1] …
type sentence struct{ text, gaps []string }

var sentences = sync.OnceValue(func() (all [2]map[string]sentence) {
	for l, name := range langNames {
		raw, err := assets.I18N.ReadFile("i18n/" + name + ".json")
		if err != nil {
			panic(err)
		}
		var texts map[string]string
		if err := json.Unmarshal(raw, &texts); err != nil {
			panic(fmt.Errorf("web: i18n/%s.json: %w", name, err))
		}
		all[l] = make(map[string]sentence, len(texts))
		for code, text := range texts {
			all[l][code] = parseSentence(text)
		}
	}
	return all
})

func parseSentence(text string) sentence {
	var s sentence
	for {
		before, rest, open := strings.Cut(text, "{")
		s.text = append(s.text, before)
		gap, after, closed := strings.Cut(rest, "}")
		if !open || !closed {
			return s
		}
		s.gaps, text = append(s.gaps, gap), after
	}
}

// Say gives the sentence of a code with its gaps filled. Of a code that has a sentence for one bound alone (code.least,
// code.most) that one is taken when only that bound is given. A code without a sentence speaks for itself.
func (l Lang) Say(code string, args map[string]any) string {
	_, least := args["least"]
	_, most := args["most"]
	s, ok := sentence{}, false
	switch {
	case least && !most:
		s, ok = sentences()[l][code+".least"]
	case most && !least:
		s, ok = sentences()[l][code+".most"]
	}
	if !ok {
		if s, ok = sentences()[l][code]; !ok {
			return code
		}
	}
	if len(s.gaps) == 0 {
		return s.text[0]
	}
	var out strings.Builder
	for i, text := range s.text {
		out.WriteString(text)
		if i < len(s.gaps) {
			if v, ok := args[s.gaps[i]]; ok {
				fmt.Fprint(&out, v)
			}
		}
	}
	return out.String()
}
