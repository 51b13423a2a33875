package main

// room says what the files of one package may import.
type room struct {
	ours   []string // packages of this module; "*" is all
	theirs []string // modules of others; the standard library is open to all
	tests  []string // either kind, for its tests alone
}

// leaves are the small pure packages below license.
var leaves = []string{"license/cardkey", "license/fault", "license/fingerprint", "license/password", "license/token", "license/verdict"}

// testing is what any test may import.
var testing = []string{"go.uber.org/goleak", "pgregory.net/rapid", "store/storetest", "license/licensetest"}

// house is the plan. Arrows go main → admin, clientapi → web → license → store;
// hub, store, keyring and fault import nothing of ours. A new line here is a
// decision about the design, not a way to silence the check.
var house = map[string]room{
	"":       {ours: []string{"*"}, theirs: []string{"github.com/alecthomas/kong", "github.com/DeRuina/timberjack", "golang.org/x/sys"}, tests: []string{"github.com/gobwas/ws", "github.com/getkin/kin-openapi"}},
	"assets": {},
	"hub":    {theirs: []string{"github.com/gobwas/ws"}},

	"store":           {theirs: []string{"go.etcd.io/bbolt", "github.com/dgraph-io/ristretto/v2", "github.com/fxamacker/cbor/v2", "github.com/google/uuid", "golang.org/x/sys"}, tests: []string{"github.com/anishathalye/porcupine", "store/keyring"}},
	"store/keyring":   {theirs: []string{"golang.org/x/crypto", "golang.org/x/sys", "github.com/fxamacker/cbor/v2"}},
	"store/storetest": {ours: []string{"store", "store/keyring"}},
	"store/powercut":  {theirs: []string{"github.com/hanwen/go-fuse/v2"}, tests: []string{"store", "store/keyring"}},

	"license": {
		ours:   append([]string{"store", "store/keyring"}, leaves...),
		theirs: []string{"github.com/Masterminds/semver/v3", "github.com/fxamacker/cbor/v2", "github.com/google/uuid", "golang.org/x/text"},
		tests:  []string{"github.com/anishathalye/porcupine"},
	},
	"license/fault":       {},
	"license/cardkey":     {ours: []string{"license/fault"}},
	"license/fingerprint": {ours: []string{"license/fault"}},
	"license/password":    {ours: []string{"license/fault"}, theirs: []string{"golang.org/x/crypto", "golang.org/x/text"}},
	"license/token":       {ours: []string{"license/fault"}, theirs: []string{"github.com/golang-jwt/jwt/v5", "github.com/google/uuid"}},
	"license/verdict":     {ours: []string{"license/fault"}, theirs: []string{"github.com/google/uuid"}, tests: []string{"license/cardkey", "license/fingerprint"}},
	"license/licensetest": {ours: append([]string{"license", "store", "store/keyring", "store/storetest"}, leaves...), theirs: []string{"github.com/google/uuid"}},
	"license/web": {
		ours:   append([]string{"license", "assets"}, leaves...),
		theirs: []string{"github.com/danielgtaylor/huma/v2", "github.com/julienschmidt/httprouter", "github.com/go-json-experiment/json", "github.com/google/uuid", "golang.org/x/text", "golang.org/x/time"},
		tests:  []string{"github.com/getkin/kin-openapi"},
	},
	"license/clientapi": {
		ours:   append([]string{"license", "license/web", "hub"}, leaves...),
		theirs: []string{"github.com/danielgtaylor/huma/v2", "github.com/go-json-experiment/json", "github.com/google/uuid"},
		tests:  []string{"github.com/getkin/kin-openapi", "github.com/gobwas/ws"},
	},

	"admin": {
		ours:   append([]string{"license", "license/web", "hub", "assets", "admin/jobs", "admin/backup", "admin/metrics", "admin/daemon", "admin/config", "admin/control"}, leaves...),
		theirs: []string{"github.com/danielgtaylor/huma/v2", "github.com/go-json-experiment/json", "github.com/google/uuid"},
		tests:  []string{"github.com/getkin/kin-openapi", "github.com/gobwas/ws"},
	},
	"admin/backup":  {ours: []string{"store", "store/keyring", "license", "license/fault"}, theirs: []string{"github.com/klauspost/compress", "github.com/go-co-op/gocron/v2", "github.com/jonboulle/clockwork", "golang.org/x/sys"}, tests: []string{"go.etcd.io/bbolt"}},
	"admin/bench":   {ours: append([]string{"license", "store", "license/licensetest"}, leaves...)},
	"admin/config":  {theirs: []string{"github.com/alecthomas/kong", "golang.org/x/sys"}},
	"admin/control": {theirs: []string{"golang.org/x/sys"}},
	"admin/daemon":  {theirs: []string{"github.com/kardianos/service", "golang.org/x/sys"}},
	"admin/jobs":    {ours: []string{"license", "license/fault", "store"}},
	"admin/metrics": {ours: []string{"license", "store", "hub"}, theirs: []string{"github.com/prometheus/client_golang"}},
}

// topLevel is everything that may stand in the first folder, besides dot-files.
var topLevel = []string{
	"main.go", "main_test.go", "store", "license", "hub", "admin", "assets", "go.mod", "go.sum", "build.sh",
	"README.md", "README.zh.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
}

// vague words name no thing; they may not stand in a name of ours.
var vague = []string{"service", "manager", "helper", "helpers", "util", "utils", "common", "base", "impl"}

const (
	mostFunctionLines = 65  // of code; tables of tests may be longer
	mostMainLines     = 200 // of main.go, which only wires
)
