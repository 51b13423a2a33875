package web

import (
	"errors"
	"io"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// jsonFormat reads and writes JSON as RFC 8259 and RFC 7493 have it: a name twice, another case of a name or text that
// is no UTF-8 is an error. Members that the schema does not know were refused before.
var jsonFormat = huma.Format{Marshal: marshal, Unmarshal: unmarshal}

// marshal writes v whole or not at all. That the caller went away is no error of ours.
func marshal(w io.Writer, v any) error {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, _ = w.Write(raw)
	return nil
}

func writeJSON(w io.Writer, v any) { _ = marshal(w, v) }

// unmarshal tells in the words of package input what is wrong: a code and the field, never the value.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	var syntax *jsontext.SyntacticError
	var meaning *json.SemanticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return errors.New(codeDuplicate + " " + fieldOf(syntax.JSONPointer))
	case errors.As(err, &meaning) && meaning.JSONPointer != "":
		return errors.New(codeType + " " + fieldOf(meaning.JSONPointer))
	}
	return errors.New(codeMalformed)
}

// fieldOf writes a JSON pointer (RFC 6901) as callers name members: items[3].name.
func fieldOf(p jsontext.Pointer) string {
	var out strings.Builder
	for token := range p.Tokens() {
		if token != "" && strings.Trim(token, "0123456789") == "" {
			out.WriteString("[" + token + "]")
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		out.WriteString(token)
	}
	return cutField(out.String())
}
