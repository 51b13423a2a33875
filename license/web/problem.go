package web

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/password"
)

// Problem is the body of every answer that is no success: a problem document
// (RFC 9457) with the envelope's members and a stable machine code beside it.
type Problem struct {
	Type    string `json:"type" example:"about:blank" doc:"Always about:blank: the code says which problem it is"`
	Title   string `json:"title" example:"Conflict" doc:"The phrase of the status"`
	Status  int    `json:"status" example:"409"`
	Detail  string `json:"detail" doc:"What happened and what to do, in the caller's language"`
	Code    string `json:"code" example:"device_limit" doc:"Stable, English, for programs"`
	Success bool   `json:"success" example:"false" doc:"Always false"`
	Message string `json:"message" doc:"The same as detail"`
	// Field is the input member at fault as the caller named it: ids[3], device_info.cpu_id, Idempotency-Key.
	Field   string        `json:"field,omitzero" example:"count" doc:"The input member at fault"`
	Errors  []FieldFault  `json:"errors,omitzero" doc:"Each fault, where there are several"`
	Verdict string        `json:"verdict,omitzero" doc:"The signed refusal of a device call (protocol §6)"`
	retry   time.Duration // Retry-After
	code    int           // the status that is sent
}

// FieldFault is one of several faults of one input.
type FieldFault struct {
	Field   string `json:"field" example:"new_password"`
	Code    string `json:"code" example:"password_needs_upper"`
	Message string `json:"message"`
}

// Error is the code.
func (p *Problem) Error() string { return p.Code }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.code }

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// statuses turns the kind of a fault into the status of its answer. This is the one place.
var statuses = map[fault.Kind]int{
	fault.Internal:         http.StatusInternalServerError,
	fault.Invalid:          http.StatusBadRequest,
	fault.Unauthenticated:  http.StatusUnauthorized,
	fault.Forbidden:        http.StatusForbidden,
	fault.NotFound:         http.StatusNotFound,
	fault.Conflict:         http.StatusConflict,
	fault.TooLarge:         http.StatusRequestEntityTooLarge,
	fault.Unsupported:      http.StatusUnsupportedMediaType,
	fault.Unprocessable:    http.StatusUnprocessableEntity,
	fault.Limited:          http.StatusTooManyRequests,
	fault.Unavailable:      http.StatusServiceUnavailable,
	fault.MethodNotAllowed: http.StatusMethodNotAllowed,
}

// fixed are the codes whose status HTTP itself lays down.
var fixed = map[string]int{
	"body_timeout":       http.StatusRequestTimeout,  // RFC 9110 §15.5.9
	"websocket_expected": http.StatusUpgradeRequired, // RFC 9110 §15.5.22
}

// Status is the HTTP status of a fault's answer.
func Status(f *fault.Error) int {
	if status, ok := fixed[f.Code]; ok {
		return status
	}
	if status, ok := statuses[f.Kind]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// faultOf is fault.Of, and disk_full for a change that the disk had no room for.
func faultOf(err error) *fault.Error {
	if _, known := errors.AsType[*fault.Error](err); !known && errors.Is(err, license.ErrFull) {
		return fault.New(fault.Unavailable, "disk_full").After(30 * time.Second).Because(err)
	}
	return fault.Of(err)
}

// problemOf is what the caller is told of err, in its language. A cause stays behind.
func problemOf(err error, lang Lang) *Problem {
	f := faultOf(err)
	p := &Problem{
		Type: "about:blank", Code: f.Code, Field: f.Field, Message: tell(f, lang), retry: f.Retry, code: Status(f),
	}
	if f.Kind == fault.Internal { // nothing of it is for the caller
		p.Code, p.Field, p.Message = fault.CodeInternal, "", lang.Say(fault.CodeInternal, nil)
	}
	p.Status, p.Title, p.Detail = p.code, http.StatusText(p.code), p.Message
	p.Errors = parts(f, lang)
	if refusal, ok := errors.AsType[*license.Refusal](err); ok {
		p.Verdict = refusal.Verdict
	}
	return p
}

// parts are the several faults of one input: of a body, or the broken rules of a password.
func parts(f *fault.Error, lang Lang) []FieldFault {
	var out []FieldFault
	if many, ok := f.Cause.(faults); ok {
		for _, one := range many {
			out = append(out, FieldFault{one.Field, one.Code, tell(one, lang)})
		}
		return out
	}
	if rules, ok := f.Args["rules"].([]string); ok && f.Code == password.CodeWeak {
		for _, code := range rules {
			out = append(out, FieldFault{f.Field, code, lang.Say(code, f.Args)})
		}
	}
	return out
}

// tell is the fault's sentence. It may name the field, which for the input as a whole is body.
func tell(f *fault.Error, lang Lang) string {
	return lang.Say(f.Code, f.With("field", cmp.Or(f.Field, "body")).Args)
}

// faults are all that is wrong with one input.
type faults []*fault.Error

func (s faults) Error() string { return strconv.Itoa(len(s)) + " faults" }

// headers sets what goes with the problem beside its body.
func (p *Problem) headers(h http.Header) {
	if p.code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.retry+time.Second-1)/time.Second), 10))
	}
}

// Fail answers with the problem that err is, in the caller's language. It is for handlers that write their own answers;
// those of Route return the error.
func (c *Call) Fail(err error) {
	c.cause = err
	p := problemOf(err, c.Lang)
	p.headers(c.out.Header())
	c.out.Header().Set("Content-Type", p.ContentType(""))
	c.out.WriteHeader(p.code)
	writeJSON(c.out, p)
}
