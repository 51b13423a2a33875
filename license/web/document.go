package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

func newDocument(release string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Goldfish 金鱼智盒", Version: release,
			Description: "卡密授权服务器的接口。所有回答都是 {success, message, data};错误是 RFC 9457 问题文档,带稳定的 code。\n\n" +
				"The interface of a card-key licensing server. Every answer is {success, message, data}; errors are RFC 9457 " +
				"problem documents with a stable code. The language follows Accept-Language, Chinese first.\n\n" +
				"推送:GET /api/v1/ws(WebSocket)。Push: GET /api/v1/ws (WebSocket), with the ticket of a device call.",
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "登录得到的 access_token · The access_token of a sign-in"},
			},
		},
	}
}

// schemaName is the type's name without its Out: UserOut is the schema User, List[CardOut] is ListCard. The body of an
// input is called after its type: that of activateIn is ActivateInput.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := t.Name()
	if name == "" {
		name = hint
		if input, ok := strings.CutSuffix(hint, "InBody"); ok {
			name = input + "Input"
		}
	}
	var out strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune("[]*,", r) }) {
		part = strings.TrimSuffix(part[strings.LastIndex(part, ".")+1:], "Out")
		if part != "" {
			out.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return out.String()
}

func (a *API) problemSchema() *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
}

func headerParam(p HeaderParam) *huma.Param {
	return &huma.Param{
		Name: p.Name, In: "header", Description: p.Doc,
		Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{p.Example}},
	}
}

// Document is the OpenAPI 3.1 document of all routes of these listeners, the same bytes for the same routes. Each path
// names the listeners that have it. Two different shapes under one name are an error.
func Document(apis ...*API) ([]byte, error) {
	var whole map[string]any
	for _, a := range apis {
		raw, err := json.Marshal(a.huma.OpenAPI())
		if err != nil {
			return nil, err
		}
		var part map[string]any
		if err := json.Unmarshal(raw, &part); err != nil {
			return nil, err
		}
		a.addServer(part)
		if whole == nil {
			whole = part
			continue
		}
		if err := merge(whole, part); err != nil {
			return nil, err
		}
	}
	raw, err := json.MarshalIndent(whole, "", "  ")
	return append(raw, '\n'), err
}

func member(m map[string]any, names ...string) map[string]any {
	for _, name := range names {
		next, _ := m[name].(map[string]any)
		if next == nil {
			next = map[string]any{}
			m[name] = next
		}
		m = next
	}
	return m
}

func (a *API) addServer(doc map[string]any) {
	for _, path := range member(doc, "paths") {
		path.(map[string]any)["servers"] = []any{map[string]any{"url": a.opts.Server}}
	}
}

func merge(whole, part map[string]any) error {
	have := member(whole, "components", "schemas")
	for name, schema := range member(part, "components", "schemas") {
		if known, ok := have[name]; ok && !reflect.DeepEqual(known, schema) {
			return fmt.Errorf("web: two shapes are called %s", name)
		}
		have[name] = schema
	}
	paths := member(whole, "paths")
	for path, item := range member(part, "paths") {
		known, ok := paths[path].(map[string]any)
		if !ok {
			paths[path] = item
			continue
		}
		more := item.(map[string]any)
		servers := append(known["servers"].([]any), more["servers"].([]any)...)
		maps.Copy(known, more)
		known["servers"] = servers
	}
	return nil
}
