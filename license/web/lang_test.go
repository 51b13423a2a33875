package web_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"goldfish/license/web"
)

func TestAcceptLanguage(t *testing.T) {
	for header, want := range map[string]web.Lang{
		"": web.Chinese, "zh": web.Chinese, "zh-CN,zh;q=0.9,en;q=0.8": web.Chinese, "en": web.English, "en-GB,en;q=0.9": web.English,
		"fr": web.Chinese, "fr,en;q=0.5": web.English, "en;q=0.1,zh;q=0.9": web.Chinese, "zh;q=0.1,en;q=0.9": web.English, "*": web.Chinese,
		"zh-Hant-TW": web.Chinese, ";;;": web.Chinese, "en-US;q=0.1,zh-CN;q=0.9": web.Chinese, "zh-TW;q=0.2, en": web.English, "en;q=0,zh": web.Chinese, strings.Repeat("x-y,", 1000): web.Chinese, "EN-us": web.English,
	} {
		if got := web.ParseLang(header); got != want {
			t.Errorf("%.40q gives %v, want %v", header, got, want)
		}
	}
}

func TestSayFillsGaps(t *testing.T) {
	if got := web.English.Say("value_range", map[string]any{"field": "count", "least": 1, "most": 5}); got != `"count" must be between 1 and 5.` {
		t.Errorf("both bounds: %q", got)
	}
	if got := web.English.Say("value_range", map[string]any{"field": "count", "most": 5}); got != `"count" may be at most 5.` && !strings.Contains(got, "at most 5") {
		t.Errorf("one bound: %q", got)
	}
	if got := web.Chinese.Say("no_such_code", nil); got != "no_such_code" {
		t.Errorf("an unknown code says %q", got)
	}
}

func readSentences(t *testing.T, lang string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../../assets/i18n/" + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]string
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

var gap = regexp.MustCompile(`\{([a-z_]*)\}`)

func TestBothLanguagesSayTheSame(t *testing.T) {
	zh, en := readSentences(t, "zh"), readSentences(t, "en")
	if a, b := slices.Sorted(maps.Keys(zh)), slices.Sorted(maps.Keys(en)); !slices.Equal(a, b) {
		t.Errorf("the languages differ in their codes:\n%v\n%v", a, b)
	}
	for code, text := range zh {
		gaps := func(s string) (names []string) {
			for _, m := range gap.FindAllStringSubmatch(s, -1) {
				names = append(names, m[1])
			}
			slices.Sort(names)
			return names
		}
		if !slices.Equal(gaps(text), gaps(en[code])) {
			t.Errorf("%s has other gaps in English: %q, %q", code, text, en[code])
		}
		if !regexp.MustCompile(`\p{Han}`).MatchString(text) || regexp.MustCompile(`\p{Han}`).MatchString(en[code]) {
			t.Errorf("%s is in the wrong language: %q, %q", code, text, en[code])
		}
	}
}

func TestFixedSentences(t *testing.T) {
	zh := readSentences(t, "zh")
	if zh["card_activated"] != "卡密激活成功" {
		t.Errorf("an activation says %q", zh["card_activated"])
	}
	if !strings.Contains(zh["card_unknown"], "无效的卡密") {
		t.Errorf("an unknown key says %q", zh["card_unknown"])
	}
	for _, code := range []string{"device_already_bound", "device_limit", "card_taken"} {
		if !strings.HasPrefix(zh[code], "设备已绑定") {
			t.Errorf("%s says %q", code, zh[code])
		}
	}
}

// sources is what the Go files say that concerns sentences.
type sources struct {
	texts  map[string]bool   // every string literal
	consts map[string]string // string constants by their name
	spoken map[string]string // codes that a caller may be told, with where
}

// told are the places of a code: the call's last name, and which argument it is.
var told = map[string]int{"New": 1, "refuse": 1, "Say": 0, "told": 0}

// clients are files whose faults only clients make, or that only a terminal is told.
var clients = []string{"verdict/check.go", "verdict/lease.go", "verdict/clock.go", "backup/key.go", "backup/channel.go"}

func readSources(t *testing.T) *sources {
	t.Helper()
	s := &sources{texts: map[string]bool{}, consts: map[string]string{}, spoken: map[string]string{}}
	var files []*ast.File
	set := token.NewFileSet()
	for _, dir := range []string{"../../license", "../../admin"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			slash := filepath.ToSlash(path)
			if d.IsDir() && filepath.Dir(slash) == "../../admin" && slash != "../../admin/jobs" && slash != "../../admin/backup" {
				return fs.SkipDir // what speaks to a terminal has its own sentences
			}
			if d.IsDir() || !strings.HasSuffix(slash, ".go") || strings.HasSuffix(slash, "_test.go") ||
				slices.ContainsFunc(clients, func(name string) bool { return strings.HasSuffix(slash, name) }) {
				return nil
			}
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			files = append(files, file)
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		ast.Inspect(file, s.collect)
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool { s.listen(t, set, n); return true })
	}
	return s
}

func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	out, err := strconv.Unquote(lit.Value)
	return out, err == nil
}

func (s *sources) collect(n ast.Node) bool {
	if e, ok := n.(ast.Expr); ok {
		if v, ok := text(e); ok {
			s.texts[v] = true
		}
	}
	if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
		for i, name := range spec.Names {
			if v, ok := text(spec.Values[i]); ok {
				s.consts[name.Name] = v
				if strings.HasPrefix(v, "password_") {
					s.spoken[v] = name.Name // the broken rules of a password
				}
			}
		}
	}
	return true
}

// value resolves a literal, or a constant by its name.
func (s *sources) value(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.Ident:
		v, ok := s.consts[e.Name]
		return v, ok
	case *ast.SelectorExpr:
		return s.value(e.Sel)
	}
	return text(e)
}

func (s *sources) listen(t *testing.T, set *token.FileSet, n ast.Node) {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Message" {
			if code, ok := s.value(n.Value); ok {
				s.spoken[code] = set.Position(n.Pos()).String()
			}
		}
	case *ast.CallExpr:
		name, from := "", ""
		switch fn := n.Fun.(type) {
		case *ast.Ident:
			name = fn.Name
		case *ast.SelectorExpr:
			name = fn.Sel.Name
			if x, ok := fn.X.(*ast.Ident); ok {
				from = x.Name
			}
		}
		at, ok := told[name]
		if !ok || len(n.Args) <= at || name == "New" && from != "fault" {
			return
		}
		if kind, ok := n.Args[0].(*ast.SelectorExpr); ok && kind.Sel.Name == "Internal" {
			return // the caller is told none of it
		}
		if code, ok := s.value(n.Args[at]); ok {
			s.spoken[code] = set.Position(n.Pos()).String()
		}
	}
}

// Every code that a caller may be told has a sentence in both languages, and every sentence is told somewhere.
func TestEveryCodeSpeaks(t *testing.T) {
	zh := readSentences(t, "zh")
	s := readSources(t)
	if len(s.spoken) < 60 {
		t.Fatalf("only %d codes were found: the search is broken", len(s.spoken))
	}
	for code, at := range s.spoken {
		whole, least, most := zh[code], zh[code+".least"], zh[code+".most"]
		if whole == "" && (least == "" || most == "") {
			t.Errorf("%s: %s has no sentence", at, code)
		}
	}
	for key := range zh {
		code, _, _ := strings.Cut(key, ".")
		used := s.texts[code]
		for prefix := range s.texts {
			used = used || strings.HasSuffix(prefix, "_") && strings.HasPrefix(code, prefix)
		}
		for said := range s.texts { // "value_range least %v"
			used = used || strings.HasPrefix(said, code+" ")
		}
		if !used {
			t.Errorf("%s is said nowhere", key)
		}
	}
}
