package license_test

import (
	"sync"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

func TestRacingActivationsHaveOneWinner(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	for _, seats := range []int{1, 3} {
		terms := licensetest.Month
		terms.Devices = seats
		key := w.Keys(app, 1, terms)[0]
		who := w.Customer()
		var wg sync.WaitGroup
		errs := make([]error, 50)
		for i := range errs {
			wg.Go(func() { _, errs[i] = w.Device(app, 2000+i).Activate(who, key, nil) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch codeOf(err) {
			case "valid":
				won++
			case "device_limit":
			default:
				t.Errorf("a loser got %v", err)
			}
		}
		if v := w.CardOf(key); won != seats || v.Bound != seats {
			t.Errorf("%d won, %d are bound, there are %d seats", won, v.Bound, seats)
		}
	}
}

func TestRacingAccountsHaveOneWinner(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	terms := licensetest.Month
	terms.Devices = 50
	key := w.Keys(app, 1, terms)[0]
	accounts := make([]license.Actor, 50)
	for i := range accounts {
		accounts[i] = w.Customer()
	}
	var wg sync.WaitGroup
	errs := make([]error, len(accounts))
	for i, who := range accounts {
		wg.Go(func() { _, errs[i] = w.Device(app, 3000+i).Activate(who, key, nil) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if codeOf(err) != "card_taken" {
			t.Errorf("a loser got %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d accounts won", won)
	}
}
