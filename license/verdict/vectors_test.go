package verdict_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"goldfish/license/verdict"
)

var update = flag.Bool("update", false, "write the frozen vectors anew")

const vectorsFile = "../../assets/sdk/vectors.json"

const aboutVectors = `Test vectors of the Goldfish licence protocol, version 1 (protocol §13). Frozen: the server and every client library are held to this one file. ` +
	`The keys are from RFC 8032 and public: a client library refuses them outside tests. ` +
	`Every case has a unique name within its section. All times are whole Unix seconds; b64u is base64url without padding; characters outside ASCII are written as JSON escapes. ` +
	`A section's own rules are in its "about" member.`

// vectors is the file, section by section.
type vectors struct {
	About        string                 `json:"_about"`
	Protocol     int                    `json:"protocol"`
	App          string                 `json:"app_id"`
	OtherApp     string                 `json:"other_app_id"`
	Keys         map[string]vectorKey   `json:"keys"`
	Pinned       []string               `json:"pinned"`
	PublicKeys   section[publicCase]    `json:"public_keys"`
	Signatures   section[signatureCase] `json:"signatures"`
	Base64       section[base64Case]    `json:"base64url"`
	Fingerprints section[deviceCase]    `json:"fingerprints"`
	PartHashes   section[hashCase]      `json:"part_hashes"`
	Differs      section[differsCase]   `json:"differs"`
	CardKeys     section[cardCase]      `json:"card_keys"`
	RequestText  section[requestCase]   `json:"request_text"`
	Proofs       section[proofCase]     `json:"proofs"`
	LeaseEnds    section[leaseEndCase]  `json:"lease_ends"`
	Beats        section[beatCase]      `json:"beats"`
	Tokens       tokenSection           `json:"tokens"`
	Leases       leaseSection           `json:"leases"`
	Orders       orderSection           `json:"orders"`
	Notices      noticeSection          `json:"notices"`
	Time         section[timeCase]      `json:"time"`
	State        stateSection           `json:"state"`
	Receipts     receiptSection         `json:"receipts"`
}

type section[T any] struct {
	About string `json:"about"`
	Cases []T    `json:"cases"`
}

type vectorKey struct {
	Seed   string `json:"seed"` // hex
	Public string `json:"public"`
	KeyID  string `json:"kid"`
	Source string `json:"source"`
}

const (
	appID      = "3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e"
	otherAppID = "9a1b2c3d-4e5f-4a6b-8c7d-0e1f2a3b4c5d"
	issuer     = "5d8f1a90-2b7c-4c3e-9f64-7e0b1d2c3a4f"
	nonce      = "AAECAwQFBgcICQoLDA0ODw"
	body       = `{"app_id":"3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e","nonce":"AAECAwQFBgcICQoLDA0ODw"}`
	start      = int64(1800000000) // the moment at which everything is tried
	dayLong    = int64(86400)
)

// testKeys are from RFC 8032 §7.1.
var testKeys = map[string]struct{ seed, source string }{
	"signing":      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "RFC 8032 test 1: current signing key, pinned"},
	"device":       {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "RFC 8032 test 2: the own device key"},
	"standby":      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "RFC 8032 test 3: standby signing key, pinned"},
	"foreign":      {"f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5", "RFC 8032 test 1024: a signing key that is not pinned"},
	"other_device": {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", "RFC 8032 test SHA(abc): another device's key"},
}

func private(name string) ed25519.PrivateKey {
	seed, err := hex.DecodeString(testKeys[name].seed)
	if err != nil {
		panic(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func public(name string) string {
	return verdict.Encode64(private(name).Public().(ed25519.PublicKey))
}

func pins(t testing.TB) *verdict.Pins {
	t.Helper()
	both, err := verdict.NewPins(public("signing"), public("standby"))
	if err != nil {
		t.Fatal(err)
	}
	return both
}

// TestVectorsAreFrozen makes the file from the rules and compares. Each case
// also holds what a person expects of it, and making it fails where the rules
// say otherwise.
func TestVectorsAreFrozen(t *testing.T) {
	made := vectors{
		About: aboutVectors, Protocol: 1, App: appID, OtherApp: otherAppID,
		Keys:         map[string]vectorKey{},
		Pinned:       []string{public("signing"), public("standby")},
		PublicKeys:   publicSection(t),
		Signatures:   signatureSection(t),
		Base64:       base64Section(t),
		Fingerprints: fingerprintSection(t),
		PartHashes:   partHashSection(t),
		Differs:      differsSection(t),
		CardKeys:     cardKeySection(t),
		RequestText:  requestSection(t),
		Proofs:       proofSection(t),
		LeaseEnds:    leaseEndSection(t),
		Beats:        beatSection(t),
		Tokens:       makeTokens(t),
		Leases:       makeLeases(t),
		Orders:       makeOrders(t),
		Notices:      makeNotices(t),
		Time:         makeTime(t),
		State:        makeState(t),
		Receipts:     makeReceipts(t),
	}
	for name, key := range testKeys {
		raw := private(name).Public().(ed25519.PublicKey)
		made.Keys[name] = vectorKey{key.seed, verdict.Encode64(raw), verdict.KeyID(raw), key.source}
	}
	if got := made.Keys["signing"]; got.Public != "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" || got.KeyID != "21fe31dfa154a261" {
		t.Errorf("the signing key is %+v", got)
	}
	if got := made.Keys["device"].Public; got != "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw" {
		t.Errorf("the device key is %s", got)
	}
	text := indented(t, made)
	uniqueNames(t, text)
	if t.Failed() {
		t.Fatal("the rules and the expectations differ: nothing is written or compared")
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(vectorsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	frozen, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(frozen, text) {
		t.Errorf("the rules no longer make the frozen file: %s", firstDifference(frozen, text))
	}
}

// indented writes JSON for people: two blanks a level, ASCII alone, so that an
// invisible character shows.
func indented(t *testing.T, value any) []byte {
	t.Helper()
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, r := range plain.String() {
		if r < 0x7F {
			out.WriteByte(byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.Bytes()
}

func uniqueNames(t *testing.T, text []byte) {
	t.Helper()
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(text, &sections); err != nil {
		t.Fatal(err)
	}
	for name, raw := range sections {
		var one struct {
			Cases []struct{ Name string }
		}
		if raw[0] != '{' || json.Unmarshal(raw, &one) != nil {
			continue
		}
		seen := map[string]bool{}
		for _, c := range one.Cases {
			if c.Name == "" || seen[c.Name] {
				t.Errorf("%s: the name %q is missing or comes twice", name, c.Name)
			}
			seen[c.Name] = true
		}
	}
}

func firstDifference(a, b []byte) string {
	left, right := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(left), len(right)) {
		if left[i] != right[i] {
			return fmt.Sprintf("line %d is %q, made %q", i+1, left[i], right[i])
		}
	}
	return fmt.Sprintf("%d lines, made %d", len(left), len(right))
}
