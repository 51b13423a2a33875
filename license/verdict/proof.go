package verdict

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"goldfish/license/fault"
)

// ProofHeader is the name of the HTTP header that carries a proof.
const ProofHeader = "Goldfish-Proof"

// Request is what a device call is bound to: the request text R of protocol §4.
type Request struct {
	Method         string // in capitals
	Path           string // from /api/v1 on, no host, base path or query
	AppID          string
	Time           int64  // the proof's t; without a device key it does not count
	DeviceKey      string // the device public key in b64u, "" without a proof
	IdempotencyKey string // the header's value or ""
	Bearer         string // the access token that was sent, or ""
	Body           []byte // as sent
}

// ProvedBy gives r with the time and the key of a proof.
func (r Request) ProvedBy(p Proof) Request {
	r.Time, r.DeviceKey = p.Time, p.Key
	return r
}

// Text is R: nine fields joined by LF, none at the end.
func (r Request) Text() string {
	t, bearer := "", ""
	if r.DeviceKey != "" {
		t = strconv.FormatInt(r.Time, 10)
	}
	if r.Bearer != "" {
		sum := sha256.Sum256([]byte(r.Bearer))
		bearer = hex.EncodeToString(sum[:])
	}
	body := sha256.Sum256(r.Body)
	return strings.Join([]string{
		"goldfish-request-v1", r.Method, r.Path, r.AppID, t, r.DeviceKey,
		r.IdempotencyKey, bearer, hex.EncodeToString(body[:]),
	}, "\n")
}

// Req is the claim of that name: b64u(SHA-256(R)).
func (r Request) Req() string {
	sum := sha256.Sum256([]byte(r.Text()))
	return Encode64(sum[:])
}

// Proof is a parsed header v1.T.K.S. Only ParseProof makes one; it is good only
// after Verify.
type Proof struct {
	Time      int64  // t: the client's estimate of server time
	Key       string // the device public key in b64u
	public    ed25519.PublicKey
	signature []byte
}

// ParseProof reads a proof's header: t in decimal without plus or leading
// zeros, key and signature in strict b64u. Anything else is fault proof_invalid.
func ParseProof(text string) (Proof, error) {
	if len(text) > 200 { // the longest has 155
		return Proof{}, proofInvalid(errors.New("the header is too long"))
	}
	fields := strings.Split(text, ".")
	if len(fields) != 4 || fields[0] != "v1" {
		return Proof{}, proofInvalid(errors.New("the header is not v1.T.K.S"))
	}
	t, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || strconv.FormatInt(t, 10) != fields[1] {
		return Proof{}, proofInvalid(errors.New("t is not in plain decimal"))
	}
	public, ok := Decode64(fields[2])
	if !ok || len(public) != ed25519.PublicKeySize {
		return Proof{}, proofInvalid(errors.New("the key is not b64u of 32 bytes"))
	}
	signature, ok := Decode64(fields[3])
	if !ok || len(signature) != ed25519.SignatureSize {
		return Proof{}, proofInvalid(errors.New("the signature is not b64u of 64 bytes"))
	}
	return Proof{Time: t, Key: fields[2], public: public, signature: signature}, nil
}

// Verify says whether the proof holds for r at server time now. The time is
// judged first (protocol §7): outside ± 300 s it is fault proof_time, a
// signature that does not fit is proof_invalid. r's own Time and DeviceKey do
// not count; those of the proof do.
func (p Proof) Verify(r Request, now int64) error {
	if p.Time < now-Window || p.Time > now+Window {
		return fault.New(fault.Unauthenticated, "proof_time").Because(fmt.Errorf("t is %d at %d", p.Time, now))
	}
	for _, field := range []string{r.Method, r.Path, r.AppID, r.IdempotencyKey} {
		if strings.Contains(field, "\n") { // R would mean another request
			return proofInvalid(errors.New("a field holds a line break"))
		}
	}
	if len(p.public) != ed25519.PublicKeySize || !ed25519.Verify(p.public, []byte(r.ProvedBy(p).Text()), p.signature) {
		return proofInvalid(errors.New("the signature does not fit"))
	}
	return nil
}

func proofInvalid(cause error) error {
	return fault.New(fault.Unauthenticated, "proof_invalid").Because(cause)
}

// MakeProof is the client's side: the proof of r at r.Time by a device key, and
// r as it was signed, whose Req the verdict must repeat.
func MakeProof(device ed25519.PrivateKey, r Request) (string, Request) {
	r.DeviceKey = Encode64(device.Public().(ed25519.PublicKey))
	signature := ed25519.Sign(device, []byte(r.Text()))
	return "v1." + strconv.FormatInt(r.Time, 10) + "." + r.DeviceKey + "." + Encode64(signature), r
}
