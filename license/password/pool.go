package password

import (
	"context"
	"errors"
	"fmt"
	"time"

	"goldfish/license/fault"
)

// CodeBusy is the code of a Pool without room.
const CodeBusy = "busy"

// retryAfter is what a caller without room is told.
const retryAfter = 2 * time.Second

// Pool runs bcrypt for requests: at most cores − 1 at a time, so that a storm
// of sign-ins leaves room for licence checks; a few more wait, as long as their
// context lets them; others get fault busy at once. It starts no goroutine.
type Pool struct {
	cost  int
	decoy string
	slots chan struct{} // one for each that runs
	room  chan struct{} // one for each that runs or waits
}

// NewPool makes a pool for a machine with that many cores, a queue of so many,
// and one cost for all that it hashes.
func NewPool(cores, queue, cost int) (*Pool, error) {
	decoy, err := Decoy(cost)
	if err != nil {
		return nil, err
	}
	if queue < 0 {
		return nil, fmt.Errorf("password: a queue of %d", queue)
	}
	slots := max(1, cores-1)
	return &Pool{
		cost: cost, decoy: decoy,
		slots: make(chan struct{}, slots), room: make(chan struct{}, slots+queue),
	}, nil
}

// Hash is the package's Hash at the pool's cost.
func (p *Pool) Hash(ctx context.Context, plain string) (hash string, err error) {
	if _, ok := ready(plain); !ok {
		return "", weak(TooLong)
	}
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return Hash(plain, p.cost)
}

// Verify is the package's Verify. An empty hash stands for an account that does
// not exist: the answer is false after the same work. The error is busy alone.
func (p *Pool) Verify(ctx context.Context, hash, plain string) (bool, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	if hash == "" {
		Verify(p.decoy, plain)
		return false, nil
	}
	return Verify(hash, plain), nil
}

// enter waits for a slot and gives the way out of it.
func (p *Pool) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, busy(err)
	}
	select {
	case p.room <- struct{}{}:
	default:
		return nil, busy(errors.New("password: the queue is full"))
	}
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots; <-p.room }, nil
	case <-ctx.Done():
		<-p.room
		return nil, busy(ctx.Err())
	}
}

func busy(cause error) error {
	return fault.New(fault.Unavailable, CodeBusy).After(retryAfter).Because(cause)
}
