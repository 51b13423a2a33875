package license_test

import (
	"context"
	"errors"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// TestAFailingHandlerHarmsNobody: EV3, for those who follow the log.
func TestAFailingHandlerHarmsNobody(t *testing.T) {
	w := licensetest.New(t)
	last, err := w.LastEvent()
	w.Must(err)
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan license.EventKind, 10)
	done := make(chan error)
	go func() {
		done <- w.Follow(ctx, last, func(_ uint64, e *license.Event) {
			heard <- e.Kind
			if e.Kind == license.AppCreated {
				panic("a handler that fails")
			}
		})
	}()
	w.App(nil)
	w.Keys(w.App(nil), 1, licensetest.Month)
	for _, want := range []license.EventKind{license.AppCreated, license.AppCreated, license.BatchCreated, license.BatchReady} {
		if got := <-heard; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
