package httpserver

import (
	"testing"
	"time"

	"chirp/internal/network"
)

func TestNewConnectionsArePaced(t *testing.T) {
	now := time.Now()
	a := newArrivals(10 * time.Second)
	flood := network.Of("192.0.2.1")
	for i := range arrivalsBurst {
		if delay, ok := a.take(flood, now); !ok || delay > 0 {
			t.Fatalf("connection %d of an office that arrives at once: got %s, %t; want it served", i, delay, ok)
		}
	}
	waiting, longest := 0, time.Duration(0)
	for range 10_000 {
		if delay, ok := a.take(flood, now); ok {
			waiting++
			longest = max(longest, delay)
		}
	}
	if want := int(arrivalsPerSecond * arrivalsWait / time.Second); waiting != want || longest != arrivalsWait {
		t.Errorf("beyond the burst: got %d waiting for up to %s, want %d for %s", waiting, longest, want, arrivalsWait)
	}
	if delay, ok := a.take(network.Of("192.0.2.2"), now); !ok || delay > 0 {
		t.Errorf("another address: got %s, %t; want it served", delay, ok)
	}
	if delay, ok := a.take(flood, now.Add(10*time.Second)); !ok || delay > 0 {
		t.Errorf("after a while: got %s, %t; want it served", delay, ok)
	}
}

func TestAConnectionThatWaitsHasTimeForItsHeaders(t *testing.T) {
	now, header := time.Now(), 500*time.Millisecond
	a := newArrivals(header)
	longest := time.Duration(0)
	for range 2 * arrivalsBurst {
		if delay, ok := a.take(network.Of("192.0.2.1"), now); ok {
			longest = max(longest, delay)
		}
	}
	if longest != header/2 {
		t.Errorf("got a wait of %s, want half of the %s that headers may take", longest, header)
	}
}
