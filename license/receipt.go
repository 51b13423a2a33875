package license

import (
	"encoding/hex"

	"goldfish/license/verdict"
	"goldfish/store"
)

// Receipt is a lease that a device has shown, which the file could not take up by itself: it is kept for the vendor
// to decide (protocol §11). The row lies sealed. Its numbers are never used again.
type Receipt struct {
	ID       store.ID     `cbor:"1,keyasint"`
	App      store.ID     `cbor:"2,keyasint"`
	Card     store.ID     `cbor:"3,keyasint"` // that it names, whether or not the file knows it
	Key      string       `cbor:"4,keyasint"` // the device's public key
	Token    string       `cbor:"5,keyasint"` // the lease as it was signed
	Kept     int64        `cbor:"6,keyasint"` // Unix milliseconds
	Code     string       `cbor:"7,keyasint"` // why it was kept
	State    ReceiptState `cbor:"8,keyasint"`
	Decided  int64        `cbor:"9,keyasint,omitempty"`  // Unix milliseconds
	By       store.ID     `cbor:"10,keyasint,omitempty"` // account; 0: the appliance
	Parts    [3]string    `cbor:"11,keyasint"`           // the normalised parts, as far as they are still those of the lease
	Platform string       `cbor:"12,keyasint,omitempty"`
	StandIn  store.ID     `cbor:"13,keyasint,omitempty"` // the card that took the place of one that is lost
}

// ReceiptState is what became of a receipt. The numbers lie in the file and are never used again.
type ReceiptState uint8

// A receipt waits until the vendor adopts or dismisses it, or until it can be adopted without.
const (
	ReceiptWaiting   ReceiptState = 1
	ReceiptTaken     ReceiptState = 2
	ReceiptDismissed ReceiptState = 3
)

var receiptStates = []string{"", "waiting", "adopted", "dismissed"}

// String is the state's name on the wire.
func (s ReceiptState) String() string { return nameOf(receiptStates, uint8(s)) }

// Why a receipt is kept, beside file_rolled_back.
const (
	receiptCard = "receipt_card" // the file does not know the card
	receiptTime = "receipt_time" // signed outside the time that the file has lost
	receiptSeat = "receipt_seat" // a device that is not older holds the seat
)

const (
	receiptsPerKey = 8      // rows of one device key
	receiptsPerApp = 10_000 // waiting rows of one app
)

func waitingCounter(app store.ID) string { return hex.EncodeToString(app.Key()) + ".waiting" }

func receiptCounters(r *Receipt) []string {
	if r.State != ReceiptWaiting {
		return nil
	}
	return []string{waitingCounter(r.App)}
}

// receiptsOf counts a device key's receipts and gives the one for a card, nil if there is none.
func receiptsOf(tx *store.Tx, key string, card store.ID) (of *Receipt, count int, err error) {
	for r, err := range rowsBy(tx, receipts, receiptByKey, store.Range{Prefix: []byte(key)}) {
		if err != nil {
			return nil, 0, err
		}
		if count++; r.Card == card {
			of = r
		}
	}
	return of, count, nil
}

// standIn is the card that the vendor has put in the place of a lost one for a device, 0 if there is none.
func standIn(tx *store.Tx, key string, lost store.ID) (store.ID, error) {
	if key == "" {
		return 0, nil
	}
	r, _, err := receiptsOf(tx, key, lost)
	if err != nil || r == nil || r.State != ReceiptTaken {
		return 0, err
	}
	return r.StandIn, nil
}

// pins are an app's keys, the newest first: what one of them signed, the app signed.
func (p *App) pins() (*verdict.Pins, error) {
	var publics []string
	for _, key := range p.Keys[:min(len(p.Keys), verdict.MaxKids)] {
		publics = append(publics, verdict.Encode64(key.Public))
	}
	return verdict.NewPins(publics...)
}
