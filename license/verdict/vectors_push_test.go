package verdict_test

import (
	"testing"

	"goldfish/license/fault"
	"goldfish/license/verdict"
)

type leaseSection struct {
	About string      `json:"about"`
	App   string      `json:"app_id"`
	Key   string      `json:"key"`
	Cases []leaseCase `json:"cases"`
}

type leaseCase struct {
	Name   string    `json:"name"`
	Parts  [3]string `json:"parts"`
	Now    int64     `json:"now"`
	Result string    `json:"result"`
	Lease  string    `json:"lease"`
}

func makeLeases(t *testing.T) leaseSection {
	out := leaseSection{
		About: "A stored lease judged at server time now (as the client estimates it) by the device key and the part hashes computed now. result is good or the local reason of the first condition of protocol §8 that fails: " +
			"no_lease (checks 1 to 3, v, aud, act, key), device_changed (parts), clock_back (iat above now + 600), lease_expired (now not below exp).",
		App: appID, Key: public("device"),
	}
	same := [3]string{"HedFE2yLmfE", "OhTcmLTdYcM", "o6kuy88fT7I"}
	one := [3]string{"HedFE2yLmfE", "AAAAAAAAAAA", "o6kuy88fT7I"}
	lost := [3]string{"HedFE2yLmfE", "", "o6kuy88fT7I"}
	two := [3]string{"HedFE2yLmfE", "AAAAAAAAAAA", ""}
	three := [3]string{"AAAAAAAAAAA", "BBBBBBBBBBA", "CCCCCCCCCCA"}
	token := func(changes string) string {
		return rawToken("signing", head("signing", typVerdict), edit(verdictText, changes))
	}
	good := token("")
	for _, c := range []leaseCase{
		{"good", same, start, "good", good},
		{"last second", same, start + 604799, "good", good},
		{"ended", same, start + 604800, "lease_expired", good},
		{"600 s before its issue", same, start - 600, "good", good},
		{"601 s before its issue", same, start - 601, "clock_back", good},
		{"one part changed, tol 1", one, start, "good", good},
		{"one part no longer read, tol 1", lost, start, "good", good},
		{"two parts changed, tol 1", two, start, "device_changed", good},
		{"one part changed, tol 0", one, start, "device_changed", token(`"tol":1 => "tol":0`)},
		{"two parts changed, tol 2", two, start, "good", token(`"tol":1 => "tol":2`)},
		{"three parts changed, tol 2", three, start, "device_changed", token(`"tol":1 => "tol":2`)},
		{"parts changed and ended: the parts are judged first", two, start + 604800, "device_changed", good},
		{"by the standby key", same, start, "good", rawToken("standby", head("standby", typVerdict), verdictText)},
		{"by a key that is not pinned", same, start, "no_lease", rawToken("foreign", head("foreign", typVerdict), verdictText)},
		{"signature altered", same, start, "no_lease", good[:len(good)-86] + flip(good[len(good)-86:], 9)},
		{"none", same, start, "no_lease", ""},
		{"another device's", same, start, "no_lease", token(`"key":"` + public("device") + `" => "key":"` + public("other_device") + `"`)},
		{"without a device key", same, start, "no_lease", token(`"key":"` + public("device") + `" => "key":""`)},
		{"another app's", same, start, "no_lease", token(`"aud":"` + appID + `" => "aud":"` + otherAppID + `"`)},
		{"v 2", same, start, "no_lease", token(`"v":1 => "v":2`)},
		{"act hold", same, start, "no_lease", token(`"act":"run" => "act":"hold"`)},
		{"act stop", same, start, "no_lease", token(`"act":"run" => "act":"stop"`)},
		{"an order", same, start, "no_lease", rawToken("signing", head("signing", typOrder), verdictText)},
	} {
		own := verdict.Own{Pins: pins(t), AppID: appID, Key: public("device"), Parts: c.Parts}
		got := "good"
		if _, err := verdict.Judge(c.Lease, own, c.Now); err != nil {
			got = fault.Of(err).Code
		}
		if got != c.Result {
			t.Errorf("lease %s: %s", c.Name, got)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

type orderSection struct {
	About string      `json:"about"`
	App   string      `json:"app_id"`
	Own   orderOwn    `json:"own"`
	Cases []orderCase `json:"cases"`
}

type orderOwn struct {
	Key     string `json:"key"`
	Session string `json:"session"`
	Epoch   int64  `json:"ep"`
	Seq     int64  `json:"seq"`
}

type orderCase struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Act    string `json:"act"`
	Order  string `json:"order"`
}

func makeOrders(t *testing.T) orderSection {
	out := orderSection{
		About: "An order held against the own device key, this process's session and ep and seq of the last accepted verdict (protocol §10). result is obey (then act says what), ignore (signed, but does not count) or unverifiable.",
		App:   appID,
		Own:   orderOwn{Key: public("device"), Session: "EBESExQVFhcYGRobHB0eHw", Epoch: 1, Seq: 41},
	}
	order := func(changes string) string {
		return rawToken("signing", head("signing", typOrder), orderText(changes))
	}
	session := `"session":"" => "session":"`
	for _, c := range []orderCase{
		{"stop", "obey", "stop", order("")},
		{"hold", "obey", "hold", order(`"act":"stop" => "act":"hold"`)},
		{"wait", "obey", "wait", order(`"act":"stop" => "act":"wait"`)},
		{"for this session", "obey", "stop", order(session + `EBESExQVFhcYGRobHB0eHw"`)},
		{"by the standby key", "obey", "stop", rawToken("standby", head("standby", typOrder), orderText(""))},
		{"a higher epoch with a lower seq", "obey", "stop", order(`"ep":1,"seq":42 => "ep":2,"seq":1`)},
		{"a time long past does not matter", "obey", "stop", order(`"iat":1800000060 => "iat":1700000000`)},
		{"unknown claims are ignored", "obey", "stop", order(`"spread":60 => "spread":60,"later":true`)},
		{"the seq of the last verdict", "ignore", "", order(`"seq":42 => "seq":41`)},
		{"an old seq", "ignore", "", order(`"seq":42 => "seq":7`)},
		{"an old epoch with a higher seq", "ignore", "", order(`"ep":1,"seq":42 => "ep":0,"seq":999`)},
		{"another session", "ignore", "", order(session + `AAECAwQFBgcICQoLDA0ODw"`)},
		{"another device", "ignore", "", order(`"key":"` + public("device") + `" => "key":"` + public("other_device") + `"`)},
		{"without a key", "ignore", "", order(`"key":"` + public("device") + `" => "key":""`)},
		{"never run", "ignore", "", order(`"act":"stop" => "act":"run"`)},
		{"another app", "unverifiable", "", order(`"aud":"` + appID + `" => "aud":"` + otherAppID + `"`)},
		{"v 2", "unverifiable", "", order(`"v":1 => "v":2`)},
		{"key missing", "unverifiable", "", order(`"key":"` + public("device") + `", => `)},
		{"act missing", "unverifiable", "", order(`"act":"stop", => `)},
		{"seq as text", "unverifiable", "", order(`"seq":42 => "seq":"42"`)},
		{"by a key that is not pinned", "unverifiable", "", rawToken("foreign", head("foreign", typOrder), orderText(""))},
		{"another key under a pinned kid", "unverifiable", "", rawToken("foreign", head("signing", typOrder), orderText(""))},
		{"a verdict", "unverifiable", "", rawToken("signing", head("signing", typVerdict), verdictText)},
		{"unsigned", "unverifiable", "", part(head("signing", typOrder)) + "." + part(orderText("")) + "."},
		{"bare JSON", "unverifiable", "", orderText("")},
	} {
		got, err := verdict.CheckOrder(c.Order, verdict.ExpectOrder{
			Pins: pins(t), AppID: appID, Key: out.Own.Key, Session: out.Own.Session, Epoch: out.Own.Epoch, Seq: out.Own.Seq,
		})
		result := "obey"
		if fault.Has(err, "not_counted") {
			result = "ignore"
		} else if err != nil {
			result = fault.Of(err).Code
		}
		if result != c.Result || got.Act != c.Act {
			t.Errorf("order %s: %s %q, %v", c.Name, result, got.Act, err)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

type noticeSection struct {
	About string       `json:"about"`
	App   string       `json:"app_id"`
	Cases []noticeCase `json:"cases"`
}

type noticeCase struct {
	Name   string `json:"name"`
	Seen   int64  `json:"seen"`
	Result string `json:"result"`
	Notice string `json:"notice"`
}

func makeNotices(t *testing.T) noticeSection {
	out := noticeSection{
		About: "A notice (protocol §10) in the client's own epoch; seen is the seq of the last one. result is show, ignore (signed, but not above seen) or unverifiable. exp is null for a notice without end; whether an ended one is shown is not judged here.",
		App:   appID,
	}
	notice := func(changes string) string {
		return rawToken("signing", head("signing", typNotice), noticeText(changes))
	}
	for _, c := range []noticeCase{
		{"new", 7, "show", notice("")},
		{"none seen", 0, "show", notice("")},
		{"without end", 7, "show", notice(`1800086400 => null`)},
		{"a kind that says fetch", 7, "show", notice(`"kind":"announcement" => "kind":"release"`)},
		{"by the standby key", 7, "show", rawToken("standby", head("standby", typNotice), noticeText(""))},
		{"seen", 8, "ignore", notice("")},
		{"older than seen", 20, "ignore", notice("")},
		{"another app", 7, "unverifiable", notice(`"aud":"` + appID + `" => "aud":"` + otherAppID + `"`)},
		{"v 2", 7, "unverifiable", notice(`"v":1 => "v":2`)},
		{"seq as text", 7, "unverifiable", notice(`"seq":8 => "seq":"8"`)},
		{"data is text", 7, "unverifiable", notice(`{"id":"n8","title":{"zh":"今晚维护","en":"Maintenance tonight"}} => "Maintenance tonight"`)},
		{"by a key that is not pinned", 7, "unverifiable", rawToken("foreign", head("foreign", typNotice), noticeText(""))},
		{"another key under a pinned kid", 7, "unverifiable", rawToken("foreign", head("signing", typNotice), noticeText(""))},
		{"an order", 7, "unverifiable", rawToken("signing", head("signing", typOrder), orderText(""))},
		{"unsigned", 7, "unverifiable", part(head("signing", typNotice)) + "." + part(noticeText("")) + "."},
		{"bare JSON", 7, "unverifiable", noticeText("")},
	} {
		_, err := verdict.CheckNotice(c.Notice, pins(t), appID, c.Seen)
		result := "show"
		if fault.Has(err, "not_counted") {
			result = "ignore"
		} else if err != nil {
			result = fault.Of(err).Code
		}
		if result != c.Result {
			t.Errorf("notice %s: %s, %v", c.Name, result, err)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}
