// Package fingerprint turns what a client read of its machine into comparable
// facts, the device id made of them, and the salted hashes that a verdict
// carries (protocol §4). A fingerprint names a device; it proves nothing: that
// is the device key's part.
package fingerprint

import (
	"crypto/md5" // a name, not a protection: the fixed form of a device id
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"goldfish/license/fault"
)

const (
	// MaxPart is the most bytes of one part as sent.
	MaxPart = 256
	// CodeInvalid is the code of every fault of this package.
	CodeInvalid = "device_info_invalid"

	// The member names, which are also what part hashes are salted with.
	memberCPU   = "cpu_id"
	memberBoard = "motherboard_id"
	memberMAC   = "mac_address"
)

// placeholders are what firmware says where it has nothing to say, normalised.
var placeholders = map[string]bool{
	"TOBEFILLEDBYOEM": true, "DEFAULTSTRING": true, "SYSTEMSERIALNUMBER": true,
	"BASEBOARDSERIALNUMBER": true, "CHASSISSERIALNUMBER": true, "SERIALNUMBER": true,
	"NOTSPECIFIED": true, "NOTAPPLICABLE": true, "NOTAVAILABLE": true, "NONE": true,
	"NULL": true, "NA": true, "UNKNOWN": true, "INVALID": true, "OEM": true,
	"123456789": true, "1234567890": true, "0123456789": true,
	"03000200040005000006000700080009": true,
}

// Facts are the normalised parts of one machine: at least two of them present,
// absent ones "". Only Parse makes them; the zero Facts stand for none. Facts
// are comparable.
type Facts struct {
	cpu, board, mac string
}

// Parse normalises the three parts as sent ("" = could not be read). Each fault
// is device_info_invalid, with the member at fault, or "device_info" when fewer
// than two parts are present. Parsing what Facts give back changes nothing.
func Parse(cpu, board, mac string) (Facts, error) {
	for _, part := range []struct{ member, sent string }{{memberCPU, cpu}, {memberBoard, board}, {memberMAC, mac}} {
		if len(part.sent) > MaxPart {
			return Facts{}, invalid("device_info." + part.member)
		}
	}
	facts := Facts{cpu: normal(cpu), board: normal(board), mac: normal(mac)}
	if facts.mac != "" {
		first, err := hex.DecodeString(facts.mac)
		if err != nil || len(first) != 6 {
			return Facts{}, invalid("device_info." + memberMAC)
		}
		if first[0]&1 == 1 { // a group address belongs to no machine
			facts.mac = ""
		}
	}
	present := 0
	for _, part := range []string{facts.cpu, facts.board, facts.mac} {
		if part != "" {
			present++
		}
	}
	if present < 2 {
		return Facts{}, invalid("device_info")
	}
	return facts, nil
}

func invalid(field string) error { return fault.New(fault.Invalid, CodeInvalid).In(field) }

// normal is rules 1 and 2 of protocol §4: code points alone, no Unicode table
// and no locale, so that every language gives the same.
func normal(sent string) string {
	var kept strings.Builder
	for _, r := range sent {
		if r >= 0xFF01 && r <= 0xFF5E {
			r -= 0xFF01 - 0x21
		}
		switch {
		case r >= 'a' && r <= 'z':
			kept.WriteByte(byte(r) - 'a' + 'A')
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z':
			kept.WriteByte(byte(r))
		}
	}
	part := kept.String()
	if part == "" || strings.Count(part, part[:1]) == len(part) || placeholders[part] {
		return ""
	}
	return part
}

// CPU is the processor part, or "" if absent.
func (f Facts) CPU() string { return f.cpu }

// Board is the mainboard part, or "" if absent.
func (f Facts) Board() string { return f.board }

// MAC is the network address part, 12 capital hex digits, or "" if absent.
func (f Facts) MAC() string { return f.mac }

// IsZero says whether f holds nothing.
func (f Facts) IsZero() bool { return f == Facts{} }

// String is the fingerprint, so that no part reaches a log by way of fmt.
func (f Facts) String() string { return f.ID().String() }

// GoString is the same for %#v.
func (f Facts) GoString() string { return "fingerprint.Facts(" + f.ID().String() + ")" }

// ID is the fingerprint of these facts. The one a binding was made with stays
// its device id, also when a part changes later.
func (f Facts) ID() ID {
	return ID{md5.Sum([]byte(f.cpu + "|" + f.board + "|" + f.mac))}
}

// Hashes are the part hashes for one app in the order CPU, board, MAC; "" for
// an absent part. appID is the app's UUID in lower case: it salts, so that the
// tokens of two apps cannot be joined.
func (f Facts) Hashes(appID string) [3]string {
	return [3]string{
		hash(appID, memberCPU, f.cpu),
		hash(appID, memberBoard, f.board),
		hash(appID, memberMAC, f.mac),
	}
}

func hash(appID, member, part string) string {
	if part == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("goldfish-part-v1|" + appID + "|" + member + "|" + part))
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

// Differs counts the positions at which two sets of part hashes (or of parts)
// are not the same text. A part that is present on one side alone differs; one
// that is absent on both does not. The count is what a tolerance is compared
// with: exact 0, two of three 1, any 2.
func Differs(a, b [3]string) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// Parts are the three parts in the order CPU, board, MAC, for Differs and for
// whoever stores them sealed.
func (f Facts) Parts() [3]string { return [3]string{f.cpu, f.board, f.mac} }

// ID is a fingerprint: the MD5 of CPU|BOARD|MAC. The zero ID stands for none.
type ID struct {
	sum [md5.Size]byte
}

// ParseID reads the 32 lower-case hex digits of a device id.
func ParseID(text string) (ID, error) {
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != md5.Size || hex.EncodeToString(sum) != text {
		return ID{}, fault.New(fault.Invalid, "device_id_invalid").Because(
			fmt.Errorf("a device id has 32 lower-case hex digits, not %d bytes", len(text)))
	}
	return ID{[md5.Size]byte(sum)}, nil
}

// String is the 32 lower-case hex digits, or "" for none.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return hex.EncodeToString(id.sum[:])
}

// Bytes are the 16 bytes, for keys and rows.
func (id ID) Bytes() [md5.Size]byte { return id.sum }

// IsZero says whether id stands for none.
func (id ID) IsZero() bool { return id == ID{} }
