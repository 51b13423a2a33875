package clientapi

import (
	"goldfish/license"
	"goldfish/license/verdict"
	"goldfish/license/web"
)

// maxDeviceBody is how long a device call may be (protocol §2).
const maxDeviceBody = 16 << 10

// DeviceInfo are the device facts as the client read them. They are judged by rule after the card key (§5): a part that
// could not be read is missing or empty.
type DeviceInfo struct {
	CPU   string `json:"cpu_id,omitzero" example:"BFEBFBFF000906EA"`
	Board string `json:"motherboard_id,omitzero" example:"PF2ABCDE"`
	MAC   string `json:"mac_address,omitzero" example:"A4-BB-6D-01-02-03"`
}

// Members are those that all device calls share. Their form is judged by rule: bad_request, app_unknown,
// keys_unknown.
type Members struct {
	AppID    string         `json:"app_id,omitzero" example:"3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e" doc:"The app's UUID. It, nonce and kids come together or, in a bare activation, not at all"`
	Nonce    string         `json:"nonce,omitzero" example:"AAECAwQFBgcICQoLDA0ODw" doc:"base64url of 16 random bytes, fresh for every sending"`
	Kids     []string       `json:"kids,omitzero" example:"[\"21fe31dfa154a261\"]" doc:"The signing keys that the client trusts, 1–8"`
	Version  string         `json:"version,omitzero" example:"1.4.0" doc:"The app's own version (SemVer)"`
	Session  string         `json:"session,omitzero" example:"DwABAgMEBQYHCAkKCwwNDg" doc:"Made like a nonce, one per process start"`
	Device   DeviceInfo     `json:"device_info,omitzero"`
	Platform string         `json:"platform,omitzero" example:"windows-amd64"`
	Ticket   bool           `json:"ticket,omitzero" doc:"True asks for a ticket of the WebSocket"`
	Receipt  string         `json:"receipt,omitzero" doc:"The stored lease, after the answer receipt_wanted (protocol §11)"`
	Ext      map[string]any `json:"ext,omitzero" doc:"Later options; unknown members are ignored"`
}

type activateIn struct {
	Body struct {
		Members
		CardKey string `json:"card_key" example:"ABCD-EFGH-JKLM-NPQR" doc:"As it was typed"`
		Replace bool   `json:"replace,omitzero" doc:"Put this device key on the binding of this device (after a reinstall)"`
	}
}

type verifyIn struct {
	Body struct {
		Members
		CardID  string `json:"card_id,omitzero" doc:"From the verdict; card_key when the state was lost"`
		CardKey string `json:"card_key,omitzero" example:"ABCD-EFGH-JKLM-NPQR"`
	}
}

type unbindIn = heartbeatIn

type heartbeatIn struct {
	Body struct {
		Members
		CardID string `json:"card_id" doc:"From the verdict"`
	}
}

// AnswerOut is what a device gets that may run. Who decides by it reads the verdict alone.
type AnswerOut struct {
	DeviceID  string   `json:"device_id" example:"d48ea1ea6b2cd331adb54bb8513bb175"`
	CardID    string   `json:"card_id"`
	Verdict   string   `json:"verdict,omitzero" doc:"Signed (protocol §6); absent after a bare activation"`
	Ticket    string   `json:"ticket,omitzero" doc:"For the WebSocket, once, within 60 s"`
	Replayed  bool     `json:"replayed,omitzero" doc:"This Idempotency-Key acted before"`
	State     string   `json:"state" enum:"unused,active,expired,disabled,deleted"`
	ExpiresAt web.Time `json:"expires_at"`
	Tier      string   `json:"tier"`
	Features  []string `json:"features"`
}

var proofHeader = web.HeaderParam{
	Name: verdict.ProofHeader, Doc: "v1.T.K.S: the device key's signature over the request (protocol §4)", Example: "v1.1800000000.PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw.BlJJ…",
}

var repeatHeader = web.HeaderParam{
	Name: "Idempotency-Key", Doc: "16–64 of A–Z a–z 0–9 - _: the same key acts once", Example: "4f9c2f6e8d1b4a7c",
}

func (c *API) registerDeviceCalls(a *web.API) {
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/card-keys/activate", ID: "activate", Tag: "devices", Summary: "激活卡密 · Activate a card key",
		Detail:     "绑定卡密、账号与设备;拒绝时也带签名的 verdict。Binds key, account and device; refusals carry a signed verdict too.",
		Permission: license.OwnLicences, Message: license.ActivationMessage, MaxBody: maxDeviceBody, Errors: []int{409, 422},
		Headers: []web.HeaderParam{proofHeader, repeatHeader},
	}, func(call *web.Call, in *activateIn) (AnswerOut, error) {
		d := deviceCall(call, in.Body.Members)
		d.CardKey, d.Replace = in.Body.CardKey, in.Body.Replace
		return answerOut(c.rules.Activate(call.Actor, d))
	})
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/card-keys/verify", ID: "verify", Tag: "devices", Summary: "验证授权 · Verify a licence",
		Detail: "应用启动时调用,以设备密钥证明,不需要登录。Called at an app's start, proved by the device key, without sign-in.",
		Public: true, Message: "card_valid", MaxBody: maxDeviceBody, Errors: []int{401, 403, 409}, Headers: []web.HeaderParam{proofHeader},
	}, func(call *web.Call, in *verifyIn) (AnswerOut, error) {
		d := deviceCall(call, in.Body.Members)
		d.CardKey, d.CardID = in.Body.CardKey, in.Body.CardID
		return answerOut(c.rules.Verify(call.Actor, d))
	})
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/devices/heartbeat", ID: "heartbeat", Tag: "devices", Summary: "心跳 · Heartbeat",
		Public: true, Message: "card_valid", MaxBody: maxDeviceBody, Errors: []int{401, 403, 409}, Headers: []web.HeaderParam{proofHeader},
	}, func(call *web.Call, in *heartbeatIn) (AnswerOut, error) {
		d := deviceCall(call, in.Body.Members)
		d.CardID = in.Body.CardID
		return answerOut(c.rules.Heartbeat(call.Actor, d))
	})
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/devices/unbind", ID: "unbind", Tag: "devices", Summary: "解绑本机 · Free this device's seat",
		Detail: "按应用的次数限制;成功时 verdict 为 stop device_unbound。Within the app's limit; the verdict of a success says stop device_unbound.",
		Public: true, Message: "device_unbound_done", MaxBody: maxDeviceBody, Errors: []int{401, 403, 409}, Headers: []web.HeaderParam{proofHeader, repeatHeader},
	}, func(call *web.Call, in *unbindIn) (AnswerOut, error) {
		d := deviceCall(call, in.Body.Members)
		d.CardID = in.Body.CardID
		return answerOut(c.rules.Unbind(call.Actor, d))
	})
}

func deviceCall(call *web.Call, in Members) license.DeviceCall {
	return license.DeviceCall{
		Request: verdict.Request{
			Method: call.Method, Path: call.Path, AppID: in.AppID, IdempotencyKey: call.Header("Idempotency-Key"),
			Bearer: call.Bearer, Body: call.Raw,
		},
		Proof: call.Header(verdict.ProofHeader), Nonce: in.Nonce, Kids: in.Kids, Version: in.Version, Session: in.Session,
		Platform: in.Platform, CPU: in.Device.CPU, Board: in.Device.Board, MAC: in.Device.MAC, Ticket: in.Ticket, Receipt: in.Receipt,
	}
}

func answerOut(d *license.DeviceAnswer, err error) (AnswerOut, error) {
	if err != nil {
		return AnswerOut{}, err
	}
	return AnswerOut{
		DeviceID: d.DeviceID, CardID: d.CardID, Verdict: d.Verdict, Ticket: d.Ticket, Replayed: d.Replayed,
		State: d.State.String(), ExpiresAt: web.Time(d.Ends), Tier: d.Tier, Features: d.Features,
	}, nil
}
