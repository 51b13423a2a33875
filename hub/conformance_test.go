package hub_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"goldfish/hub"

	"github.com/gobwas/ws"
)

// closeBody is the body of a close frame.
func closeBody(code hub.Code, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// edited is a good frame with bits of its first two bytes changed.
func edited(p []byte, set, clearMask byte) []byte {
	p = slices.Clone(p)
	p[0] |= set
	p[1] &^= clearMask
	return p
}

// declared is a text frame that announces a length and sends nothing.
func declared(length uint64) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, length), 1, 2, 3, 4)
}

func joinBytes(frames ...[]byte) []byte { return slices.Concat(frames...) }

// TestConformance covers what RFC 6455 asks of a server that has no extensions.
// Each case is sent to a fresh socket that echoes messages.
func TestConformance(t *testing.T) {
	text, cont, ping := ws.OpText, ws.OpContinuation, ws.OpPing
	big := strings.Repeat("x", 4096)
	type conformance struct {
		name  string
		send  []byte
		texts []string // echoed first
		pong  string   // then, unless empty, this pong
		code  hub.Code // then this close; 0: the socket lives
	}
	cases := []conformance{
		{"empty text", frame(text, true, ""), []string{""}, "", 0},
		{"125 bytes", frame(text, true, big[:125]), []string{big[:125]}, "", 0},
		{"126 bytes", frame(text, true, big[:126]), []string{big[:126]}, "", 0},
		{"the most", frame(text, true, big), []string{big}, "", 0},
		{"one more", frame(text, true, big+"x"), nil, "", hub.TooBig},
		{"several", joinBytes(frame(text, true, "a"), frame(text, true, "b")), []string{"a", "b"}, "", 0},
		{"two parts", joinBytes(frame(text, false, "he"), frame(cont, true, "llo")), []string{"hello"}, "", 0},
		{"empty parts", joinBytes(frame(text, false, ""), frame(cont, false, ""), frame(cont, true, "")), []string{""}, "", 0},
		{"a character in two parts", joinBytes(frame(text, false, "金\xe9"), frame(cont, true, "\xb1\xbc")), []string{"金鱼"}, "", 0},
		{"the most in parts", joinBytes(frame(text, false, big[:4000]), frame(cont, true, big[4000:])), []string{big}, "", 0},
		{"one more in parts", joinBytes(frame(text, false, big[:4000]), frame(cont, true, big[3999:])), nil, "", hub.TooBig},
		{"endless parts", joinBytes(frame(text, false, "a"), slices.Repeat(frame(cont, false, ""), 64)), nil, "", hub.Policy},
		{"ping", frame(ping, true, "who"), nil, "who", 0},
		{"ping of 125 bytes", frame(ping, true, big[:125]), nil, big[:125], 0},
		{"unasked pong", joinBytes(frame(ws.OpPong, true, "x"), frame(text, true, "a")), []string{"a"}, "", 0},
		{"too many frames", slices.Repeat(frame(ws.OpPong, true, ""), 513), nil, "", hub.Policy},

		{"unmasked", ws.MustCompileFrame(ws.NewTextFrame([]byte("a"))), nil, "", hub.Protocol},
		{"unmasked control", ws.MustCompileFrame(ws.NewPingFrame(nil)), nil, "", hub.Protocol},
		{"rsv1", edited(frame(text, true, "a"), 0x40, 0), nil, "", hub.Protocol},
		{"rsv2", edited(frame(text, true, "a"), 0x20, 0), nil, "", hub.Protocol},
		{"rsv3", edited(frame(text, true, "a"), 0x10, 0), nil, "", hub.Protocol},
		{"rsv on a ping", edited(frame(ping, true, ""), 0x40, 0), nil, "", hub.Protocol},
		{"rsv after a good message", joinBytes(frame(text, true, "a"), edited(frame(text, true, "b"), 0x70, 0)), []string{"a"}, "", hub.Protocol},
		{"binary", frame(ws.OpBinary, true, "a"), nil, "", hub.Unsupported},
		{"2^63 bytes", declared(1 << 63), nil, "", hub.Protocol},
		{"2^63-1 bytes", declared(1<<63 - 1), nil, "", hub.TooBig},
		{"2^63-1 bytes after a part", joinBytes(frame(text, false, "a"), edited(declared(1<<63-1), 0, 0)), nil, "", hub.Protocol},
		{"long ping", frame(ping, true, big[:126]), nil, "", hub.Protocol},
		{"ping in parts", frame(ping, false, "a"), nil, "", hub.Protocol},
		{"close in parts", frame(ws.OpClose, false, closeBody(1000, "")), nil, "", hub.Protocol},
		{"part of nothing", frame(cont, true, "a"), nil, "", hub.Protocol},
		{"part after the last", joinBytes(frame(text, true, "a"), frame(cont, false, "b")), []string{"a"}, "", hub.Protocol},
		{"message within a message", joinBytes(frame(text, false, "a"), frame(text, true, "b")), nil, "", hub.Protocol},

		{"invalid UTF-8", frame(text, true, "a\xff"), nil, "", hub.BadText},
		{"overlong UTF-8", frame(text, true, "\xc0\xaf"), nil, "", hub.BadText},
		{"surrogate", frame(text, true, "\xed\xa0\x80"), nil, "", hub.BadText},
		{"above U+10FFFF", frame(text, true, "\xf4\x90\x80\x80"), nil, "", hub.BadText},
		{"cut character", frame(text, true, "\xe9\xb1"), nil, "", hub.BadText},
		{"cut character in parts", joinBytes(frame(text, false, "\xe9"), frame(cont, true, "\xb1")), nil, "", hub.BadText},

		{"close without a code", frame(ws.OpClose, true, ""), nil, "", hub.NoStatus},
		{"close of one byte", frame(ws.OpClose, true, "\x03"), nil, "", hub.Protocol},
		{"close with a long reason", frame(ws.OpClose, true, closeBody(1000, big[:123])), nil, "", hub.Normal},
		{"close with too long a reason", frame(ws.OpClose, true, closeBody(1000, big[:124])), nil, "", hub.Protocol},
		{"close with a bad reason", frame(ws.OpClose, true, closeBody(1000, "\xff")), nil, "", hub.BadText},
		{"nothing after a close", joinBytes(frame(ws.OpClose, true, closeBody(1000, "")), frame(text, true, "late")), nil, "", hub.Normal},
	}
	for op := ws.OpCode(3); op <= 0xf; op++ {
		if op.IsReserved() {
			cases = append(cases, conformance{fmt.Sprintf("opcode %x", byte(op)), frame(op, true, ""), nil, "", hub.Protocol})
		}
	}
	for _, code := range []hub.Code{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases = append(cases, conformance{fmt.Sprintf("close %d", code), frame(ws.OpClose, true, closeBody(code, "")), nil, "", code})
	}
	for _, code := range []hub.Code{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, conformance{fmt.Sprintf("close %d", code), frame(ws.OpClose, true, closeBody(code, "")), nil, "", hub.Protocol})
	}
	srv := start(t, hub.Options{}, echo)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := srv.dial(t)
			c.write(tc.send)
			for _, want := range tc.texts {
				c.wantText(want)
			}
			if tc.pong != "" {
				if op, payload := c.next(); op != ws.OpPong || string(payload) != tc.pong {
					t.Fatalf("got %v %.60q, want a pong", op, payload)
				}
			}
			switch tc.code {
			case 0:
				c.say("alive")
				c.wantText("alive")
			case hub.NoStatus:
				if op, payload := c.next(); op != ws.OpClose || len(payload) != 0 {
					t.Fatalf("got %v %q, want an empty close", op, payload)
				}
				c.wantEnd()
			default:
				op, payload := c.next()
				c.checkClose(op, payload, tc.code, "")
				_ = c.conn.Close()
			}
		})
	}
	until(t, "all sockets ended", func() bool { return srv.Stats().Sockets == 0 })
}

func TestPingWithinAMessage(t *testing.T) {
	srv := start(t, hub.Options{}, echo)
	c := srv.dial(t)
	c.write(joinBytes(frame(ws.OpText, false, "a"), frame(ws.OpPing, true, "p"), frame(ws.OpContinuation, true, "b")))
	op, payload := c.next()
	if op != ws.OpPong || string(payload) != "p" {
		t.Fatalf("got %v %q, want the pong first", op, payload)
	}
	c.wantText("ab")
}

func TestManyPingsAreAnsweredByAtLeastTheNewest(t *testing.T) {
	srv := start(t, hub.Options{}, echo)
	c := srv.dial(t)
	var all []byte
	for i := range 500 {
		all = append(all, frame(ws.OpPing, true, fmt.Sprint(i))...)
	}
	c.write(all)
	last := -1
	for last != 499 {
		op, payload := c.next()
		var n int
		if _, err := fmt.Sscan(string(payload), &n); op != ws.OpPong || err != nil || n <= last {
			t.Fatalf("after pong %d came %v %q", last, op, payload)
		}
		last = n
	}
}
