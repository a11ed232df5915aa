package httpserver

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// A connection costs more to accept than a request does to read, and is counted only
// while it is open. So the rate of new ones is limited too, far above what an office
// needs that arrives at once.
const (
	arrivalsPerSecond = 500
	arrivalsBurst     = 2000
	// arrivalsWait is how long a new connection waits for its turn at most, if that
	// leaves its headers time to arrive.
	arrivalsWait = 2 * time.Second
	// maxArrivals is how many networks are remembered.
	maxArrivals = 20_000
)

// arrivals paces the new connections of each network. It is not safe for concurrent
// use.
type arrivals struct {
	byNetwork *simplelru.LRU[string, *rate.Limiter]
	longest   time.Duration // that a connection waits
}

// newArrivals returns arrivals whose connections wait for at most half of the time that
// their headers may take.
func newArrivals(header time.Duration) *arrivals {
	byNetwork, _ := simplelru.NewLRU[string, *rate.Limiter](maxArrivals, nil) // fails only for a size of 0
	return &arrivals{byNetwork, min(arrivalsWait, header/2)}
}

// take counts a connection of a client's networks, the narrowest first, and returns
// how long it waits. It returns false for one that would wait too long. Wider
// networks have twice and four times the rate.
func (a *arrivals) take(networks []string, now time.Time) (delay time.Duration, ok bool) {
	for i, name := range networks {
		l, found := a.byNetwork.Get(name)
		if !found {
			width := 1 << i
			l = rate.NewLimiter(rate.Limit(arrivalsPerSecond*width), arrivalsBurst*width)
			a.byNetwork.Add(name, l)
		}
		turn := l.ReserveN(now, 1)
		if wait := turn.DelayFrom(now); wait > a.longest {
			turn.CancelAt(now)
			return 0, false
		} else if wait > delay {
			delay = wait
		}
	}
	return delay, true
}
