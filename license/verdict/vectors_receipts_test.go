package verdict_test

import (
	"fmt"
	"slices"
	"testing"

	"goldfish/license/verdict"
)

type receiptSection struct {
	About string        `json:"about"`
	App   string        `json:"app_id"`
	Key   string        `json:"key"`
	Epoch int64         `json:"ep"`
	Lost  []receiptLoss `json:"lost"`
	Cases []receiptCase `json:"cases"`
}

type receiptLoss struct {
	Epoch int64 `json:"ep"`
	From  int64 `json:"from"`
	To    int64 `json:"to"`
}

type receiptCase struct {
	Name    string `json:"name"`
	Result  string `json:"result"`
	Receipt string `json:"receipt"`
}

const aboutReceipts = `Receipts (protocol §11): the member "receipt" of a call that was proved with the device key "key", as the server judges it whose own epoch is "ep" and which has lost what happened in each span of "lost" ` +
	`(from: its last event before; to: when it went on; ep: the epoch that began then). The card is known and its seat is free. result is ` +
	`bad (none, or none of this app and device: answered as none would be), adopted (ep below that of a span and iat from 600 s before it to 600 s after), kept (no span fits), ` +
	`or rolled_back (ep not below the server's own: kept, and the server's epoch goes above it). A client shows its kept lease unless it is bad, and else means "stop" by receipt_wanted.`

func makeReceipts(t *testing.T) receiptSection {
	t.Helper()
	const epoch = 5
	lost := []verdict.Lost{
		{Epoch: 2, From: start, To: start + 3600},
		{Epoch: 4, From: start + 10*dayLong, To: start + 10*dayLong + 60}, // 3 and 5 are the clock's
	}
	out := receiptSection{About: aboutReceipts, App: appID, Key: public("device"), Epoch: epoch}
	for _, l := range lost {
		out.Lost = append(out.Lost, receiptLoss{l.Epoch, l.From, l.To})
	}
	signed := func(changes string) string {
		return rawToken("signing", head("signing", typVerdict), edit(verdictText, changes))
	}
	at := func(ep, iat int64) string {
		return signed(fmt.Sprintf(`"iat":1800000000,"exp":1800604800 => "iat":%d,"exp":%d ;; "ep":1 => "ep":%d`, iat, iat+week, ep))
	}
	good := at(1, start+60)
	second := start + 10*dayLong
	for _, c := range []receiptCase{
		{"of the lost time", "adopted", good},
		{"600 s before the last event", "adopted", at(1, start-600)},
		{"601 s before it", "kept", at(1, start-601)},
		{"600 s after it went on", "adopted", at(1, start+4200)},
		{"601 s after", "kept", at(1, start+4201)},
		{"of the epoch that began then", "kept", at(2, start+3600)},
		{"of the second span", "adopted", at(2, second+30)},
		{"of the second span, in the clock's epoch before it", "adopted", at(3, second)},
		{"of an epoch long before, in the second span", "adopted", at(1, second)},
		{"of the second span's own epoch", "kept", at(4, second)},
		{"between the spans", "kept", at(2, start+5*dayLong)},
		{"of the present epoch", "rolled_back", at(5, second)},
		{"of an epoch to come", "rolled_back", at(9, start+60)},
		{"by the standby key", "adopted", rawToken("standby", head("standby", typVerdict), edit(verdictText, `"exp":1800604800 => "exp":1800604801`))},
		{"of a lease that has ended", "adopted", signed(`"exp":1800604800 => "exp":1800000001`)},
		{"none", "bad", ""},
		{"two parts", "bad", good[:len(good)-87]},
		{"four parts", "bad", good + ".AA"},
		{"padded", "bad", good + "="},
		{"signature altered", "bad", good[:len(good)-86] + flip(good[len(good)-86:], 9)},
		{"by a key that is not the app's", "bad", rawToken("foreign", head("foreign", typVerdict), verdictText)},
		{"by a foreign key under a good kid", "bad", rawToken("foreign", head("signing", typVerdict), verdictText)},
		{"another device's", "bad", signed(`"key":"` + public("device") + `" => "key":"` + public("other_device") + `"`)},
		{"without a device key", "bad", signed(`"key":"` + public("device") + `" => "key":""`)},
		{"another app's", "bad", signed(`"aud":"` + appID + `" => "aud":"` + otherAppID + `"`)},
		{"v 2", "bad", signed(`"v":1 => "v":2`)},
		{"act wait", "bad", signed(noLease + `"act":"run" => "act":"wait"`)},
		{"act stop", "bad", signed(noLease + `"act":"run" => "act":"stop"`)},
		{"an order", "bad", rawToken("signing", head("signing", typOrder), orderText(""))},
		{"a verdict under an order's type", "bad", rawToken("signing", head("signing", typOrder), verdictText)},
		{"no card", "bad", rawToken("signing", head("signing", typVerdict), withoutCard())},
		{"iat as text", "bad", signed(`"iat":1800000000 => "iat":"1800000000"`)},
	} {
		if got := receiptResult(t, c.Receipt, epoch, lost); got != c.Result {
			t.Errorf("receipt %s: %s", c.Name, got)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

// withoutCard is a verdict whose card is null.
func withoutCard() string {
	return edit(verdictText, `"card":{"id":"Zk3sV0q8yTn1mWc5xRb7Lg","state":"active","validity":"duration","expires_at":1802592000,"tier":"pro","features":["export","batch.2"]} => "card":null`)
}

func receiptResult(t *testing.T, token string, epoch int64, lost []verdict.Lost) string {
	c, err := verdict.OpenReceipt(token, verdict.ExpectReceipt{Pins: pins(t), AppID: appID, Key: public("device")})
	switch {
	case err != nil:
		return "bad"
	case c.Epoch >= epoch:
		return "rolled_back"
	case slices.ContainsFunc(lost, func(l verdict.Lost) bool { return l.Covers(c.Epoch, c.IssuedAt) }):
		return "adopted"
	}
	return "kept"
}
