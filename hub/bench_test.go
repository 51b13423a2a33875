package hub_test

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"goldfish/hub"
)

// BenchmarkFanOut measures one 300-byte message from Publish to its receipt by
// every socket; the clients run in the same process.
func BenchmarkFanOut(b *testing.B) {
	for _, sockets := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprint(sockets), func(b *testing.B) {
			srv := start(b, hub.Options{}, joinNamed)
			message := []byte(strings.Repeat("x", 300))
			const wire = 300 + 4 // with its header
			var received atomic.Int64
			all := make(chan struct{}, 1)
			for range sockets {
				c := srv.join(b, "all")
				go func() {
					buf := make([]byte, wire)
					for {
						if _, err := io.ReadFull(c.rd, buf); err != nil {
							return
						}
						if received.Add(1)%int64(sockets) == 0 {
							all <- struct{}{}
						}
					}
				}()
			}
			b.ReportAllocs()
			for b.Loop() {
				if n, err := srv.Publish("all", message); n != sockets || err != nil {
					b.Fatalf("reached %d, %v", n, err)
				}
				<-all
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(sockets), "µs/message")
		})
	}
}

// BenchmarkPublish measures what the publisher itself waits for.
func BenchmarkPublish(b *testing.B) {
	const sockets = 1000
	srv := start(b, hub.Options{QueueMessages: 1 << 30, QueueBytes: 1 << 40}, joinNamed)
	for range sockets {
		c := srv.join(b, "all")
		go func() { _, _ = io.Copy(io.Discard, c.rd) }()
	}
	message := []byte(strings.Repeat("x", 300))
	for b.Loop() {
		if _, err := srv.Publish("all", message); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sockets, "ns/socket")
}
