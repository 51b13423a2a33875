// Package fault is the one error type of the house.
//
// A fault says what went wrong in three stable parts: a Kind (what sort of
// failure, which the HTTP edge turns into a status in one place), a Code (an
// English snake_case word, documented and translated, that programs may decide
// by) and Args (what the translated sentence fills in). The cause is for the
// operator's log and never for the caller.
//
//	return fault.New(fault.Conflict, "device_limit").With("seats", 2)
//	return fault.New(fault.Invalid, "count_range").In("count").With("max", 1_000_000)
//	return fault.New(fault.Unavailable, "busy").After(time.Second).Because(err)
//
// Every method that adds something returns a copy, so a fault may be kept in a
// package variable, shared between goroutines and extended by each.
package fault

import (
	"errors"
	"maps"
	"time"
)

// Kind is the sort of a failure. The list is append-only: a kind never changes
// its number or its meaning. The zero Kind is Internal, so that a forgotten one
// tells the caller nothing.
type Kind uint8

const (
	// Internal is a failure of ours; the caller is told nothing but that.
	Internal Kind = iota
	// Invalid is input that cannot be understood or breaks a stated limit.
	Invalid
	// Unauthenticated is a missing, ended or forged proof of who is calling.
	Unauthenticated
	// Forbidden is a known caller who may not do this.
	Forbidden
	// NotFound is an object that is not there, or not for this caller's eyes.
	NotFound
	// Conflict is a request that the present state refuses.
	Conflict
	// TooLarge is a body or a part above its limit.
	TooLarge
	// Unsupported is a content type or encoding that is not taken.
	Unsupported
	// Unprocessable is well-formed input that contradicts itself or an earlier call.
	Unprocessable
	// Limited is a caller who must slow down; Retry says for how long.
	Limited
	// Unavailable is a server that cannot answer for now; Retry says for how long.
	Unavailable
	// MethodNotAllowed is a known path called with another method.
	MethodNotAllowed
)

var kindNames = [...]string{
	Internal: "internal", Invalid: "invalid", Unauthenticated: "unauthenticated",
	Forbidden: "forbidden", NotFound: "not_found", Conflict: "conflict",
	TooLarge: "too_large", Unsupported: "unsupported", Unprocessable: "unprocessable",
	Limited: "limited", Unavailable: "unavailable", MethodNotAllowed: "method_not_allowed",
}

// String is the kind's name for logs; a number outside the list is "internal".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Internal]
}

// CodeInternal is the code of everything that is no fault of its own.
const CodeInternal = "internal"

// Error is one failure. Make it with New; read its fields freely, change none.
type Error struct {
	Kind  Kind
	Code  string         // stable, English, snake_case
	Field string         // the input member at fault, as the caller named it, or ""
	Args  map[string]any // what the translated sentence fills in; never a secret
	Cause error          // for the log alone
	Retry time.Duration  // when trying again makes sense; 0 says nothing
}

// New makes a fault of a kind with its stable code.
func New(kind Kind, code string) *Error {
	return &Error{Kind: kind, Code: code}
}

// With gives a copy whose Args also hold value under key.
func (e *Error) With(key string, value any) *Error {
	next := *e
	next.Args = make(map[string]any, len(e.Args)+1)
	maps.Copy(next.Args, e.Args)
	next.Args[key] = value
	return &next
}

// In gives a copy that names the input member at fault.
func (e *Error) In(field string) *Error {
	next := *e
	next.Field = field
	return &next
}

// Because gives a copy with the cause, which errors.Is and errors.As look into.
func (e *Error) Because(cause error) *Error {
	next := *e
	next.Cause = cause
	return &next
}

// After gives a copy that tells the caller when to try again.
func (e *Error) After(wait time.Duration) *Error {
	next := *e
	next.Retry = wait
	return &next
}

// Error is the code and the cause. Args stay out: what a sentence may show to
// its caller need not be fit for a log.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Code
	}
	return e.Code + ": " + e.Cause.Error()
}

// GoString keeps Args out of %#v as well.
func (e *Error) GoString() string { return "fault.Error(" + e.Error() + ")" }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors.Is compare faults by Code alone.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other != nil && other.Code == e.Code
}

// Of is the outermost fault in err's chain. An error that is none becomes an
// internal fault with err as its cause; nil stays nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if found, ok := errors.AsType[*Error](err); ok && found != nil {
		return found
	}
	return New(Internal, CodeInternal).Because(err)
}

// Has says whether err is, or wraps, a fault with this code.
func Has(err error, code string) bool {
	return errors.Is(err, &Error{Code: code})
}
