package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goldfish/license/fault"
)

// The numbers are a promise: logs and peers may keep them.
func TestKindsKeepTheirNumbers(t *testing.T) {
	want := []string{
		"internal", "invalid", "unauthenticated", "forbidden", "not_found", "conflict",
		"too_large", "unsupported", "unprocessable", "limited", "unavailable", "method_not_allowed",
	}
	for number, name := range want {
		if got := fault.Kind(number).String(); got != name {
			t.Errorf("kind %d is %q, want %q", number, got, name)
		}
	}
	if got := fault.Kind(200).String(); got != "internal" {
		t.Errorf("an unknown kind is %q, want internal", got)
	}
	if fault.MethodNotAllowed != 11 {
		t.Errorf("the last kind is %d, want 11", fault.MethodNotAllowed)
	}
}

func TestChainLeavesTheOriginalAlone(t *testing.T) {
	origin := fault.New(fault.Conflict, "device_limit").With("seats", 1)
	full := origin.With("seats", 2).With("held", 2).In("card_key").Because(io.EOF).After(time.Minute)

	if origin.Args["seats"] != 1 || len(origin.Args) != 1 || origin.Field != "" || origin.Cause != nil || origin.Retry != 0 {
		t.Errorf("the original changed: %+v", *origin)
	}
	if full.Kind != fault.Conflict || full.Code != "device_limit" || full.Field != "card_key" ||
		full.Args["seats"] != 2 || full.Args["held"] != 2 || full.Retry != time.Minute {
		t.Errorf("the copy lacks something: %+v", *full)
	}
	if !errors.Is(full, io.EOF) {
		t.Error("the cause is not found through Unwrap")
	}
}

func TestSharedFaultMayBeExtendedByMany(t *testing.T) {
	shared := fault.New(fault.Invalid, "bad_request").With("a", 1)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			if got := shared.With("n", n).In("x"); got.Args["n"] != n {
				t.Errorf("n is %v, want %d", got.Args["n"], n)
			}
		})
	}
	all.Wait()
}

func TestIsComparesByCode(t *testing.T) {
	err := fmt.Errorf("while activating: %w", fault.New(fault.Conflict, "card_taken").With("a", 1).Because(io.EOF))
	if !errors.Is(err, fault.New(fault.Internal, "card_taken")) || !fault.Has(err, "card_taken") {
		t.Error("the same code is not recognised")
	}
	if errors.Is(err, fault.New(fault.Conflict, "card_expired")) || fault.Has(err, "card_expired") || fault.Has(nil, "card_taken") {
		t.Error("another code is taken for it")
	}
	if errors.Is(err, (*fault.Error)(nil)) {
		t.Error("a nil fault equals one")
	}
	deep := fault.New(fault.Internal, "outer").Because(fault.New(fault.Invalid, "inner"))
	if !fault.Has(deep, "inner") || !fault.Has(deep, "outer") {
		t.Error("a fault caused by a fault hides one of them")
	}
}

func TestOf(t *testing.T) {
	if fault.Of(nil) != nil {
		t.Error("nil became a fault")
	}
	known := fault.New(fault.Forbidden, "app_disabled")
	if got := fault.Of(fmt.Errorf("deeper: %w", known)); got != known {
		t.Errorf("the wrapped fault is not found: %v", got)
	}
	if got := fault.Of(io.EOF); got.Kind != fault.Internal || got.Code != "internal" || !errors.Is(got, io.EOF) {
		t.Errorf("an unknown error became %+v", *got)
	}
}

func TestNoArgumentIsEverPrinted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := "hush-" + rapid.StringMatching(`[A-Z0-9]{8}`).Draw(t, "secret")
		err := fault.New(fault.Invalid, "password_weak").With(secret, secret).Because(io.EOF)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if out := fmt.Sprintf(verb, err); strings.Contains(out, secret) || !strings.Contains(out, "password_weak") {
				t.Fatalf("%s gives %s", verb, out)
			}
		}
	})
}
