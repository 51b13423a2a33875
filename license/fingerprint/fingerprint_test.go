package fingerprint_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"goldfish/license/fault"
	"goldfish/license/fingerprint"
)

const app = "3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e"

func TestProtocolVectors(t *testing.T) {
	tests := []struct {
		name, cpu, board, mac string
		parts                 [3]string
		id                    string
	}{
		{
			"plain", "test_cpu_123", "test_mb_456", "00:11:22:33:44:55",
			[3]string{"TESTCPU123", "TESTMB456", "001122334455"},
			"d48ea1ea6b2cd331adb54bb8513bb175",
		},
		{
			"full width, blanks, dots", "ＴＥＳＴ－cpu-１２３", "TEST MB.456", "0011.2233.4455",
			[3]string{"TESTCPU123", "TESTMB456", "001122334455"},
			"d48ea1ea6b2cd331adb54bb8513bb175",
		},
		{
			"placeholder board", "BFEBFBFF000906EA", "To be filled by O.E.M.", "A4-BB-6D-01-02-03",
			[3]string{"BFEBFBFF000906EA", "", "A4BB6D010203"},
			"a6cc87e6216ea05f0b5789387d6209bc",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts, err := fingerprint.Parse(test.cpu, test.board, test.mac)
			if err != nil {
				t.Fatal(err)
			}
			if facts.Parts() != test.parts || facts.ID().String() != test.id {
				t.Errorf("%v %s, want %v %s", facts.Parts(), facts.ID(), test.parts, test.id)
			}
		})
	}
	facts, err := fingerprint.Parse("test_cpu_123", "test_mb_456", "00:11:22:33:44:55")
	if want := [3]string{"HedFE2yLmfE", "OhTcmLTdYcM", "o6kuy88fT7I"}; err != nil || facts.Hashes(app) != want {
		t.Errorf("part hashes %v, %v, want %v", facts.Hashes(app), err, want)
	}
}

func TestAbsentParts(t *testing.T) {
	for _, sent := range []string{
		"", "  ", "---", "。，！", "0", "0000", "x", "XxX", "ＦＦ-ff", "To Be Filled By O.E.M.", "Default string",
		"System Serial Number", "Base Board Serial Number", "Chassis Serial Number", "Serial Number", "Not Specified",
		"not applicable", "Not Available", "None", "null", "N/A", "Unknown", "INVALID", "O.E.M.", "123456789",
		"1234567890", "0123456789", "03000200-0400-0500-0006-000700080009", "\xff\xfe", "金鱼", "ＮＯＮＥ",
	} {
		facts, err := fingerprint.Parse(sent, "board1", "00:11:22:33:44:55")
		if err != nil || facts.CPU() != "" || facts.Hashes(app)[0] != "" {
			t.Errorf("%q as cpu gives %q, %v", sent, facts.CPU(), err)
		}
		facts, err = fingerprint.Parse("cpu1", "board1", sent)
		if err != nil || facts.MAC() != "" || facts.Hashes(app)[2] != "" {
			t.Errorf("%q as MAC gives %q, %v", sent, facts.MAC(), err)
		}
	}
	for _, sent := range []string{"Nones", "1234567891", "OEM1", "01", "x1"} {
		if facts, err := fingerprint.Parse(sent, "board1", ""); err != nil || facts.CPU() == "" {
			t.Errorf("%q is absent, %v", sent, err)
		}
	}
}

func TestMAC(t *testing.T) {
	for sent, want := range map[string]string{
		"a4bb.6d01.0203":    "A4BB6D010203",
		"02:00:00:00:00:01": "020000000001", // the local bit is no reason
		"01:00:5e:00:00:01": "",             // group address
		"FF:FF:FF:FF:FF:FE": "",
		"00:00:00:00:00:00": "",
		"GG:GG:GG:GG:GG:GG": "", // all equal is judged before the digits
	} {
		facts, err := fingerprint.Parse("cpu1", "board1", sent)
		if err != nil || facts.MAC() != want {
			t.Errorf("%s gives %q, %v, want %q", sent, facts.MAC(), err, want)
		}
	}
	for _, sent := range []string{"00:11:22:33:44", "00:11:22:33:44:5", "00:11:22:33:44:55:66", "00:11:22:33:44:5g", "eth0", "01:zz"} {
		_, err := fingerprint.Parse("cpu1", "board1", sent)
		if f := fault.Of(err); !fault.Has(err, "device_info_invalid") || f.Field != "device_info.mac_address" || f.Kind != fault.Invalid {
			t.Errorf("%s gives %v", sent, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("ab", 128) + "c"
	tests := []struct{ name, cpu, board, mac, field string }{
		{"nothing", "", "", "", "device_info"},
		{"one part", "cpu1", "None", "", "device_info"},
		{"one part beside a group address", "cpu1", "", "01:00:5e:00:00:01", "device_info"},
		{"long cpu", long, "board1", "00:11:22:33:44:55", "device_info.cpu_id"},
		{"long board", "cpu1", long, "00:11:22:33:44:55", "device_info.motherboard_id"},
		{"long MAC", "cpu1", "board1", strings.Repeat(" ", 257), "device_info.mac_address"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts, err := fingerprint.Parse(test.cpu, test.board, test.mac)
			if !fault.Has(err, "device_info_invalid") || fault.Of(err).Field != test.field || !facts.IsZero() {
				t.Errorf("%v, %v, field %s", facts, err, fault.Of(err).Field)
			}
		})
	}
	if facts, err := fingerprint.Parse(long[:256], "board1", ""); err != nil || len(facts.CPU()) != 256 {
		t.Errorf("256 bytes: %v", err)
	}
}

func TestDiffers(t *testing.T) {
	for _, test := range []struct {
		a, b [3]string
		want int
	}{
		{[3]string{"a", "b", "c"}, [3]string{"a", "b", "c"}, 0},
		{[3]string{"a", "b", "c"}, [3]string{"a", "x", "c"}, 1},
		{[3]string{"a", "b", "c"}, [3]string{"x", "b", "y"}, 2},
		{[3]string{"a", "b", "c"}, [3]string{"b", "c", "a"}, 3}, // by position, not by value
		{[3]string{"a", "", "c"}, [3]string{"a", "", "c"}, 0},   // absent on both
		{[3]string{"a", "", "c"}, [3]string{"a", "b", "c"}, 1},  // absent on one
	} {
		if got := fingerprint.Differs(test.a, test.b); got != test.want || fingerprint.Differs(test.b, test.a) != test.want {
			t.Errorf("%v against %v is %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestNormalisingTwiceChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		facts, err := fingerprint.Parse(rapid.String().Draw(t, "cpu"), rapid.String().Draw(t, "board"),
			rapid.StringMatching(`([0-9a-fA-F]{2}[:\-. ]?){6}|`).Draw(t, "mac"))
		if err != nil {
			if !facts.IsZero() || !fault.Has(err, "device_info_invalid") {
				t.Fatalf("%v beside %v", facts, err)
			}
			return
		}
		again, err := fingerprint.Parse(facts.CPU(), facts.Board(), facts.MAC())
		if err != nil || again != facts || again.ID() != facts.ID() {
			t.Fatalf("%v became %v, %v", facts, again, err)
		}
	})
}

func TestSaltKeepsAppsApart(t *testing.T) {
	facts, err := fingerprint.Parse("cpu1", "cpu1", "00:11:22:33:44:55")
	if err != nil {
		t.Fatal(err)
	}
	here, there := facts.Hashes(app), facts.Hashes("00000000-0000-4000-8000-000000000000")
	if fingerprint.Differs(here, there) != 3 || here[0] == here[1] {
		t.Errorf("hashes can be joined: %v %v", here, there)
	}
}

func TestNoPartIsPrinted(t *testing.T) {
	facts, err := fingerprint.Parse("SERIALX42", "BOARDY42", "00:11:22:33:44:55")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		out := fmt.Sprintf(verb, facts)
		if strings.Contains(out, "SERIALX42") || strings.Contains(out, "BOARDY42") || strings.Contains(out, "001122334455") {
			t.Errorf("%s gives %s", verb, out)
		}
	}
}

func TestParseID(t *testing.T) {
	const good = "d48ea1ea6b2cd331adb54bb8513bb175"
	id, err := fingerprint.ParseID(good)
	if err != nil || id.String() != good || id.IsZero() {
		t.Errorf("%s, %v", id, err)
	}
	for _, text := range []string{"", good[:31], good + "0", strings.ToUpper(good), "g" + good[1:]} {
		if id, err := fingerprint.ParseID(text); !fault.Has(err, "device_id_invalid") || !id.IsZero() {
			t.Errorf("%q became %v, %v", text, id, err)
		}
	}
	if (fingerprint.ID{}).String() != "" {
		t.Error("no fingerprint has a text")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("test_cpu_123", "test_mb_456", "00:11:22:33:44:55")
	f.Add("ＴＥＳＴ", "None", "01:00:5e:00:00:01")
	f.Add("", "\xff", "x")
	f.Fuzz(func(t *testing.T, cpu, board, mac string) {
		facts, err := fingerprint.Parse(cpu, board, mac)
		if (err == nil) == facts.IsZero() {
			t.Fatalf("%v beside %v", facts, err)
		}
		for _, part := range facts.Parts() {
			if strings.Trim(part, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				t.Fatalf("%q is not normal", part)
			}
		}
	})
}
