package verdict_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"

	"goldfish/license/cardkey"
	"goldfish/license/fault"
	"goldfish/license/fingerprint"
	"goldfish/license/verdict"
)

type publicCase struct {
	Name string `json:"name"`
	Text string `json:"text"`
	OK   bool   `json:"ok"`
	Kid  string `json:"kid"`
}

func publicSection(t *testing.T) section[publicCase] {
	good := public("signing")
	out := section[publicCase]{About: "text is what a vendor embeds as a public key. ok: it is b64u of 32 bytes; then kid is its key id."}
	for _, c := range []publicCase{
		{Name: "good", Text: good, OK: true, Kid: "21fe31dfa154a261"},
		{Name: "empty", Text: ""},
		{Name: "padded", Text: good + "="},
		{Name: "trailing blank", Text: good + " "},
		{Name: "line break", Text: good + "\n"},
		{Name: "31 bytes", Text: good[:42]},
		{Name: "33 bytes", Text: good + "A"},
		{Name: "unused bits set", Text: good[:42] + "p"},
		{Name: "standard alphabet", Text: strings.ReplaceAll(good, "_", "/")},
		{Name: "hex", Text: hex.EncodeToString(private("signing").Public().(ed25519.PublicKey))},
	} {
		got, err := verdict.NewPins(c.Text)
		if (err == nil) != c.OK || err == nil && got.KeyIDs()[0] != c.Kid {
			t.Errorf("public key %s: %v", c.Name, err)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

type signatureCase struct {
	Name      string `json:"name"`
	Public    string `json:"public"`
	Message   string `json:"message"` // hex
	Signature string `json:"signature"`
	OK        bool   `json:"ok"`
}

func signatureSection(t *testing.T) section[signatureCase] {
	out := section[signatureCase]{About: "Pure Ed25519 (RFC 8032 §7.1 and what must be refused). message is hex, public and signature are b64u."}
	add := func(name, public, message, signature string, ok bool) {
		pub, ok1 := verdict.Decode64(public)
		msg, err := hex.DecodeString(message)
		sig, ok2 := verdict.Decode64(signature)
		if !ok1 || err != nil || !ok2 || len(pub) != 32 || (len(sig) == 64 && ed25519.Verify(pub, msg, sig)) != ok {
			t.Errorf("signature %s is not %v", name, ok)
		}
		out.Cases = append(out.Cases, signatureCase{name, public, message, signature, ok})
	}
	fromHex := func(text string) string {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return verdict.Encode64(raw)
	}
	sig1 := fromHex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
	sig2 := fromHex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
	sig3 := fromHex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")
	add("RFC 8032 test 1", public("signing"), "", sig1, true)
	add("RFC 8032 test 2", public("device"), "72", sig2, true)
	add("RFC 8032 test 3", public("standby"), "af82", sig3, true)
	add("another message", public("device"), "73", sig2, false)
	add("another key", public("signing"), "72", sig2, false)
	add("S + L", public("device"), "72", addOrder(sig2), false)
	add("a bit of R flipped", public("device"), "72", flip(sig2, 3), false)
	add("a bit of S flipped", public("device"), "72", flip(sig2, 40), false)
	add("63 bytes", public("device"), "72", verdict.Encode64(decode(sig2)[:63]), false)
	add("65 bytes", public("device"), "72", verdict.Encode64(append(decode(sig2), 0)), false)
	add("zeros", public("device"), "72", verdict.Encode64(make([]byte, 64)), false)
	return out
}

func decode(text string) []byte {
	raw, ok := verdict.Decode64(text)
	if !ok {
		panic("not b64u: " + text)
	}
	return raw
}

// flip changes the lowest bit of one byte.
func flip(signature string, at int) string {
	raw := decode(signature)
	raw[at] ^= 1
	return verdict.Encode64(raw)
}

// addOrder adds the group order L to S: the same point, another encoding.
func addOrder(signature string) string {
	raw := decode(signature)
	order, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	order.Add(order, new(big.Int).Lsh(big.NewInt(1), 252))
	s := slices.Clone(raw[32:])
	slices.Reverse(s)
	sum := order.Add(order, new(big.Int).SetBytes(s)).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return verdict.Encode64(append(raw[:32:32], sum...))
}

type base64Case struct {
	Name string  `json:"name"`
	Text string  `json:"text"`
	Hex  *string `json:"hex"`
}

func base64Section(t *testing.T) section[base64Case] {
	out := section[base64Case]{About: "Strict b64u: hex is the decoded value, null where the text must be refused."}
	for _, c := range []struct{ name, text, hex string }{
		{"empty", "", ""},
		{"one byte", "_w", "ff"},
		{"two bytes", "-_8", "fbff"},
		{"three bytes", "AAEC", "000102"},
		{"padding", "_w==", "-"},
		{"unused bits set", "_x", "-"},
		{"plus and slash", "+/8", "-"},
		{"one character too many", "AAECA", "-"},
		{"blank inside", "AA EC", "-"},
		{"line break inside", "AA\nEC", "-"},
		{"carriage return at the end", "AAEC\r", "-"},
		{"NUL", "AAEC\x00", "-"},
		{"full width", "\uff21AEC", "-"},
	} {
		raw, ok := verdict.Decode64(c.text)
		one := base64Case{Name: c.name, Text: c.text}
		if ok {
			text := hex.EncodeToString(raw)
			one.Hex = &text
		}
		if ok != (c.hex != "-") || ok && *one.Hex != c.hex {
			t.Errorf("b64u %s: %x, %v", c.name, raw, ok)
		}
		out.Cases = append(out.Cases, one)
	}
	return out
}

type deviceCase struct {
	Name  string    `json:"name"`
	CPU   string    `json:"cpu_id"`
	Board string    `json:"motherboard_id"`
	MAC   string    `json:"mac_address"`
	Parts *[]string `json:"parts"`
	ID    *string   `json:"device_id"`
}

func fingerprintSection(t *testing.T) section[deviceCase] {
	out := section[deviceCase]{About: "Protocol §4. parts are CPU, board and MAC after normalising, \"\" = absent; device_id is the fingerprint. Both null: device_info_invalid."}
	refused := "refused"
	for _, c := range []struct{ name, cpu, board, mac, parts, id string }{
		{"plain", "test_cpu_123", "test_mb_456", "00:11:22:33:44:55", "TESTCPU123|TESTMB456|001122334455", "d48ea1ea6b2cd331adb54bb8513bb175"},
		{"full width, blanks, dots", "ＴＥＳＴ－cpu-１２３", "TEST MB.456", "0011.2233.4455", "TESTCPU123|TESTMB456|001122334455", "d48ea1ea6b2cd331adb54bb8513bb175"},
		{"placeholder board", "BFEBFBFF000906EA", "To be filled by O.E.M.", "A4-BB-6D-01-02-03", "BFEBFBFF000906EA||A4BB6D010203", "a6cc87e6216ea05f0b5789387d6209bc"},
		{"no CPU", "", "test_mb_456", "00:11:22:33:44:55", "|TESTMB456|001122334455", ""},
		{"no MAC", "test_cpu_123", "test_mb_456", "", "TESTCPU123|TESTMB456|", ""},
		{"board of blanks", "test_cpu_123", " \t ", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board of zeros", "test_cpu_123", "00000000", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board of one character in both cases", "test_cpu_123", "xX-Xx", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board Default string", "test_cpu_123", "Default string", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board System Serial Number", "test_cpu_123", "System Serial Number", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board Base Board Serial Number", "test_cpu_123", "Base Board Serial Number", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board Chassis Serial Number", "test_cpu_123", "Chassis Serial Number", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board Serial Number", "test_cpu_123", "Serial Number", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board Not Specified", "test_cpu_123", "Not Specified", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board Not Applicable", "test_cpu_123", "Not Applicable", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board Not Available", "test_cpu_123", "Not Available", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board None, full width", "test_cpu_123", "Ｎｏｎｅ", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board null", "test_cpu_123", "(null)", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board N/A", "test_cpu_123", "N/A", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board Unknown", "test_cpu_123", "Unknown", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board INVALID", "test_cpu_123", "INVALID", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board O.E.M.", "test_cpu_123", "O.E.M.", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board 123456789", "test_cpu_123", "123456789", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board 1234567890", "test_cpu_123", "1234567890", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board 0123456789", "test_cpu_123", "0123456789", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"board UUID placeholder", "test_cpu_123", "03000200-0400-0500-0006-000700080009", "00:11:22:33:44:55", "TESTCPU123||001122334455", ""},
		{"a placeholder with one character more", "test_cpu_123", "None1", "00:11:22:33:44:55", "TESTCPU123|NONE1|001122334455", ""},
		{"characters outside ASCII are dropped", "tést_cpü_１２３ı", "主板 MB.456 Ⅷ", "00:11:22:33:44:55", "TSTCP123|MB456|001122334455", ""},
		{"sharp s and long s are dropped", "aßſb", "ﬁx9", "00:11:22:33:44:55", "AB|X9|001122334455", ""},
		{"MAC in capitals with dashes", "test_cpu_123", "test_mb_456", "A4-BB-6D-01-02-0F", "TESTCPU123|TESTMB456|A4BB6D01020F", ""},
		{"MAC full width", "test_cpu_123", "test_mb_456", "ａ４：ｂｂ：６ｄ：０１：０２：０３", "TESTCPU123|TESTMB456|A4BB6D010203", ""},
		{"MAC with the local bit", "test_cpu_123", "test_mb_456", "02:00:00:00:00:01", "TESTCPU123|TESTMB456|020000000001", ""},
		{"MAC with an odd first byte is absent", "test_cpu_123", "test_mb_456", "01:00:5e:00:00:01", "TESTCPU123|TESTMB456|", ""},
		{"MAC broadcast is absent", "test_cpu_123", "test_mb_456", "ff:ff:ff:ff:ff:ff", "TESTCPU123|TESTMB456|", ""},
		{"MAC of zeros is absent", "test_cpu_123", "test_mb_456", "00:00:00:00:00:00", "TESTCPU123|TESTMB456|", ""},
		{"MAC unknown is absent", "test_cpu_123", "test_mb_456", "unknown", "TESTCPU123|TESTMB456|", ""},
		{"MAC of equal letters is absent before its digits are judged", "test_cpu_123", "test_mb_456", "GG:GG:GG:GG:GG:GG", "TESTCPU123|TESTMB456|", ""},
		{"256 bytes", strings.Repeat("ab", 128), "test_mb_456", "00:11:22:33:44:55", strings.Repeat("AB", 128) + "|TESTMB456|001122334455", ""},
		{"MAC with 11 digits", "test_cpu_123", "test_mb_456", "00:11:22:33:44:5", refused, ""},
		{"MAC with 14 digits", "test_cpu_123", "test_mb_456", "00:11:22:33:44:55:66", refused, ""},
		{"MAC not hexadecimal", "test_cpu_123", "test_mb_456", "00:11:22:33:44:5g", refused, ""},
		{"MAC odd and too short", "test_cpu_123", "test_mb_456", "01:00:5e", refused, ""},
		{"257 bytes", strings.Repeat("ab", 128) + "c", "test_mb_456", "00:11:22:33:44:55", refused, ""},
		{"257 bytes of which none counts", strings.Repeat(" ", 257), "test_mb_456", "00:11:22:33:44:55", refused, ""},
		{"258 bytes in 86 characters", strings.Repeat("Ａ", 86), "test_mb_456", "00:11:22:33:44:55", refused, ""},
		{"one part", "test_cpu_123", "None", "", refused, ""},
		{"one part beside a group address", "", "test_mb_456", "01:00:5e:00:00:01", refused, ""},
		{"nothing", "", "", "", refused, ""},
	} {
		one := deviceCase{Name: c.name, CPU: c.cpu, Board: c.board, MAC: c.mac}
		facts, err := fingerprint.Parse(c.cpu, c.board, c.mac)
		if err == nil {
			parts := facts.Parts()
			list, id := parts[:], facts.ID().String()
			one.Parts, one.ID = &list, &id
			if strings.Join(list, "|") != c.parts || c.id != "" && id != c.id {
				t.Errorf("fingerprint %s: %q %s", c.name, list, id)
			}
		} else if c.parts != refused || !fault.Has(err, "device_info_invalid") {
			t.Errorf("fingerprint %s: %v", c.name, err)
		}
		out.Cases = append(out.Cases, one)
	}
	return out
}

type hashCase struct {
	Name   string    `json:"name"`
	App    string    `json:"app_id"`
	Parts  [3]string `json:"parts"`
	Hashes [3]string `json:"hashes"`
}

func partHashSection(t *testing.T) section[hashCase] {
	out := section[hashCase]{About: "Part hashes of normalised parts (CPU, board, MAC), salted by app."}
	for _, c := range []hashCase{
		{"protocol", appID, [3]string{"TESTCPU123", "TESTMB456", "001122334455"}, [3]string{"HedFE2yLmfE", "OhTcmLTdYcM", "o6kuy88fT7I"}},
		{"another app", otherAppID, [3]string{"TESTCPU123", "TESTMB456", "001122334455"}, [3]string{}},
		{"board absent", appID, [3]string{"TESTCPU123", "", "001122334455"}, [3]string{"HedFE2yLmfE", "", "o6kuy88fT7I"}},
		{"the same text in two places", appID, [3]string{"SAME1", "SAME1", ""}, [3]string{}},
	} {
		facts, err := fingerprint.Parse(c.Parts[0], c.Parts[1], c.Parts[2])
		if err != nil || facts.Parts() != c.Parts {
			t.Errorf("part hashes %s: %v", c.Name, err)
		}
		got := facts.Hashes(c.App)
		if c.Hashes != ([3]string{}) && got != c.Hashes {
			t.Errorf("part hashes %s: %v", c.Name, got)
		}
		c.Hashes = got
		out.Cases = append(out.Cases, c)
	}
	return out
}

type differsCase struct {
	Name    string    `json:"name"`
	A       [3]string `json:"a"`
	B       [3]string `json:"b"`
	Differs int       `json:"differs"`
}

func differsSection(t *testing.T) section[differsCase] {
	a := [3]string{"HedFE2yLmfE", "OhTcmLTdYcM", "o6kuy88fT7I"}
	out := section[differsCase]{About: "How many part hashes differ, position by position; \"\" is a text like any other. A device is the same if that is at most tol."}
	for _, c := range []differsCase{
		{"equal", a, a, 0},
		{"one changed", a, [3]string{a[0], "AAAAAAAAAAA", a[2]}, 1},
		{"two changed", a, [3]string{"AAAAAAAAAAA", a[1], "AAAAAAAAAAA"}, 2},
		{"moved about", a, [3]string{a[1], a[2], a[0]}, 3},
		{"absent on one side", a, [3]string{a[0], "", a[2]}, 1},
		{"absent on both", [3]string{a[0], "", a[2]}, [3]string{a[0], "", a[2]}, 0},
		{"absent in different places", [3]string{a[0], "", a[2]}, [3]string{a[0], a[1], ""}, 2},
	} {
		if got := fingerprint.Differs(c.A, c.B); got != c.Differs {
			t.Errorf("differs %s: %d", c.Name, got)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

type cardCase struct {
	Name  string  `json:"name"`
	Typed string  `json:"typed"`
	Key   *string `json:"key"`
}

func cardKeySection(t *testing.T) section[cardCase] {
	const key = "ABCD2345EFGH6789"
	out := section[cardCase]{About: "What the server makes of a typed card key: its 16 characters, or null for card_unknown. Client libraries send what was typed."}
	for _, c := range []struct{ name, typed, key string }{
		{"as shown", "ABCD-2345-EFGH-6789", key},
		{"bare", key, key},
		{"lower case", "abcd-2345-efgh-6789", key},
		{"mixed case", "aBcD2345eFgH6789", key},
		{"blanks and tabs", "  ABCD 2345\tEFGH 6789\r\n", key},
		{"full width", "ＡＢＣＤ２３４５ＥＦＧＨ６７８９", key},
		{"full width in lower case with full-width dashes", "ａｂｃｄ－２３４５－ｅｆｇｈ－６７８９", key},
		{"ideographic blank", "ABCD\u30002345\u3000EFGH\u30006789", key},
		{"no-break, thin and figure blank", "ABCD\u00a02345\u2009EFGH\u20076789", key},
		{"dashes U+2010 to U+2015", "AB\u2010CD\u20112345\u2012EF\u2013GH\u201467\u201589", key},
		{"minus sign", "ABCD\u22122345\u2212EFGH\u22126789", key},
		{"soft hyphen", "ABCD\u00ad2345\u00adEFGH6789", key},
		{"zero-width characters", "\ufeffABCD\u200b2345\u200cEFGH\u200d67\u206089", key},
		{"direction marks", "\u200eABCD2345EFGH6789\u200f", key},
		{"all 36 characters are valid: digits", "0123456789012345", "0123456789012345"},
		{"all 36 characters are valid: letters", "IOLQ-SZBG-AEFJ-UVWX", "IOLQSZBGAEFJUVWX"},
		{"no look-alike is replaced", "OOOO0000IIII1111", "OOOO0000IIII1111"},
		{"128 bytes", key + strings.Repeat(" ", 112), key},
		{"129 bytes", key + strings.Repeat(" ", 113), ""},
		{"empty", "", ""},
		{"dashes alone", "----", ""},
		{"15 characters", "ABCD-2345-EFGH-678", ""},
		{"17 characters", "ABCD-2345-EFGH-6789-A", ""},
		{"dotless i", "ABCD-2345-EFGH-678\u0131", ""},
		{"long s", "ABCD-2345-EFGH-678\u017f", ""},
		{"Kelvin sign", "ABCD-2345-EFGH-678\u212a", ""},
		{"Cyrillic A", "\u0410BCD-2345-EFGH-6789", ""},
		{"Arabic digit", "ABCD-2345-EFGH-678\u0669", ""},
		{"NUL between", "ABCD\x002345EFGH6789", ""},
		{"NUL at the end", key + "\x00", ""},
		{"underscores", "ABCD_2345_EFGH_6789", ""},
		{"full stops", "ABCD.2345.EFGH.6789", ""},
		{"the placeholder of the manual", "TEST-CARD-KEY-001", ""},
	} {
		one := cardCase{Name: c.name, Typed: c.typed}
		parsed, err := cardkey.Parse(c.typed)
		if err == nil {
			code := parsed.Canonical()
			text := string(code[:])
			one.Key = &text
		}
		if (err == nil) != (c.key != "") || err == nil && *one.Key != c.key || err != nil && !fault.Has(err, "card_unknown") {
			t.Errorf("card key %s: %v, %v", c.name, parsed, err)
		}
		out.Cases = append(out.Cases, one)
	}
	return out
}

type leaseEndCase struct {
	Name    string `json:"name"`
	Iat     int64  `json:"iat"`
	Grace   int64  `json:"grace"`
	Beat    int64  `json:"beat"`
	CardEnd *int64 `json:"card_end"`
	Exp     int64  `json:"exp"`
}

func leaseEndSection(t *testing.T) section[leaseEndCase] {
	at := func(end int64) *int64 { return &end }
	out := section[leaseEndCase]{About: "exp of a run verdict (protocol §6), by the server; all in seconds, card_end null for a card without end."}
	for _, c := range []leaseEndCase{
		{"seven days of grace", start, 7 * dayLong, 300, nil, start + 604800},
		{"no grace: three beats", start, 0, 300, nil, start + 900},
		{"grace below three beats", start, 600, 300, nil, start + 900},
		{"grace of three beats", start, 900, 300, nil, start + 900},
		{"never after the card's end", start, 7 * dayLong, 300, at(start + 100), start + 100},
		{"card ends later", start, 7 * dayLong, 300, at(start + 30*dayLong), start + 604800},
		{"card ends now", start, 7 * dayLong, 300, at(start), start},
		{"never before iat", start, 7 * dayLong, 300, at(start - 5), start},
		{"ninety days", start, 90 * dayLong, 3600, nil, start + 7776000},
		{"more grace than a policy may give", start, 91 * dayLong, 3600, nil, start + 7776000},
	} {
		if got := verdict.Lease(c.Iat, c.Grace, c.Beat, c.CardEnd); got != c.Exp {
			t.Errorf("lease end %s: %d", c.Name, got)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

type beatCase struct {
	Name string `json:"name"`
	Said int64  `json:"said"`
	Used int64  `json:"used"`
}

func beatSection(t *testing.T) section[beatCase] {
	out := section[beatCase]{About: "What a client makes of a verdict's beat, in seconds."}
	for _, c := range []beatCase{
		{"usual", 300, 300}, {"lowest", 30, 30}, {"below", 29, 30}, {"zero", 0, 30}, {"negative", -5, 30}, {"highest", 3600, 3600}, {"above", 86400, 3600},
	} {
		if got := verdict.Beat(c.Said); got != c.Used {
			t.Errorf("beat %s: %d", c.Name, got)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}
