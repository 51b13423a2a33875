package hub

import (
	"bytes"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

// batchBytes is about the most that is put together for one write.
const batchBytes = 64 << 10

// shard writes for a part of the sockets. Its list holds a socket at most once,
// so it is never longer than the hub is full.
type shard struct {
	mu    sync.Mutex
	ready []*Socket
	wake  chan struct{}

	spare   []*Socket // the rest is the run goroutine's
	scratch []byte
	attempt attempt
}

func (sh *shard) add(s *Socket) {
	sh.mu.Lock()
	sh.ready = append(sh.ready, s)
	sh.mu.Unlock()
	select {
	case sh.wake <- struct{}{}:
	default:
	}
}

func (sh *shard) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-sh.wake:
		}
		sh.mu.Lock()
		list := sh.ready
		sh.ready = sh.spare[:0]
		sh.mu.Unlock()
		for i, s := range list {
			sh.write(s)
			list[i] = nil
		}
		sh.spare = list
	}
}

// write tries to write what is queued for s. It never waits: what the kernel
// does not take at once is left to a goroutine that lives until it is written.
func (sh *shard) write(s *Socket) {
	b := s.take(sh.scratch[:0])
	if cap(b.data) > cap(sh.scratch) && b.joined {
		sh.scratch = b.data
	}
	n := 0
	if s.raw != nil && len(b.data) > 0 {
		var err error
		if n, err = sh.attempt.write(s.raw, b.data); err != nil {
			s.sever()
			return
		}
	}
	if n == len(b.data) {
		if s.wrote(b) {
			sh.add(s)
		}
		return
	}
	if b.joined { // the scratch buffer is used again
		b.data = bytes.Clone(b.data[n:])
	} else {
		b.data = b.data[n:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone { // so the reader is counted in live, and Close still waits
		s.hub.live.Go(func() { s.drain(b) })
	}
}

// drain writes one batch, and what has been queued meanwhile, waiting where it
// must. The socket stays busy, so no shard touches it. The deadline is taken
// back, for it would fail the shard's next try.
func (s *Socket) drain(b batch) {
	for {
		s.writeUntil(time.Now().Add(s.hub.opt.Patience))
		if _, err := s.conn.Write(b.data); err != nil {
			s.sever()
			return
		}
		s.writeUntil(time.Time{})
		if !s.wrote(b) {
			return
		}
		b = s.take(nil)
	}
}

func (s *Socket) writeUntil(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		_ = s.conn.SetWriteDeadline(t)
	}
}

// batch is what is written at once.
type batch struct {
	data     []byte
	joined   bool // data is put together, not a frame that others share
	size     int  // bytes on the wire
	messages int  // data frames in it
	bytes    int  // their bytes
	last     bool // ends with the close frame
}

// take collects control frames, then messages in order, then the close frame
// once no message is left. A single frame is not copied.
func (s *Socket) take(buf []byte) batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b batch
	add := func(frame []byte) {
		switch {
		case b.data == nil:
			b.data = frame
		case !b.joined:
			b.data, b.joined = append(append(buf, b.data...), frame...), true
		default:
			b.data = append(b.data, frame...)
		}
	}
	if s.pong != nil {
		add(s.pong)
		s.pong = nil
	}
	if s.pingDue {
		add(ws.CompiledPing)
		s.pingDue = false
	}
	for _, frame := range s.queue {
		if b.messages > 0 && len(b.data)+len(frame) > batchBytes {
			break
		}
		add(frame)
		b.messages++
		b.bytes += len(frame)
	}
	clear(s.queue[:b.messages])
	s.queue = s.queue[b.messages:]
	if len(s.queue) == 0 {
		s.queue = nil // an idle socket keeps no buffer
		if s.farewell != nil {
			add(s.farewell)
			s.farewell, b.last = nil, true
		}
	}
	b.size = len(b.data)
	return b
}

// wrote books a batch that is out and tells whether there is more; if not, the
// socket is no longer busy.
func (s *Socket) wrote(b batch) bool {
	s.hub.out.Add(uint64(b.messages))
	s.hub.bytesOut.Add(uint64(b.size))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages -= b.messages
	s.bytes -= b.bytes
	if s.room != nil {
		select {
		case s.room <- struct{}{}:
		default:
		}
	}
	if b.last {
		s.markSent()
	}
	s.busy = len(s.queue) > 0 || s.pong != nil || s.pingDue || s.farewell != nil
	return s.busy
}

// attempt writes without waiting. It is kept between writes so that none of them
// allocates.
type attempt struct {
	data []byte
	n    int
	err  error
	call func(fd uintptr) bool
}

func (a *attempt) write(raw syscall.RawConn, data []byte) (int, error) {
	if a.call == nil {
		a.call = a.once
	}
	a.data, a.n, a.err = data, 0, nil
	err := raw.Write(a.call)
	a.data = nil
	if err != nil {
		return 0, err
	}
	return a.n, a.err
}
