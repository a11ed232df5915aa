package httpserver

import (
	"container/list"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"chirp/graph/transport"
	"chirp/internal/network"
)

// Crowd counts a server's connections and bounds them, in all and for each network
// that clients call from (see network.Of), so that no client can use up the files
// that the process may have open.
//
// A network may have as many connections as there is room left, and never more than
// its own limit. So one that takes all it can get leaves half of the room, two leave
// a third, and a newcomer still gets in. At its limit a network's longest idle
// connection is closed for the new one, and if none is idle, the new one.
//
// The connections of trusted proxies are bounded only in all. Requests through them
// are counted for the networks of the clients, as connections are.
type Crowd struct {
	limits  Limits
	proxies []netip.Prefix
	client  func(*http.Request) string
	log     *throttledLog

	mu       sync.Mutex
	all      group
	networks map[string]*group // by name; without empty ones
	arrivals *arrivals
	evicted  int64
	refused  int64
}

// group is the connections of a network, or all of them.
type group struct {
	name    string
	open    int
	headers int       // bytes of large headers that its connections hold
	idle    list.List // of *place, the longest idle first
}

// place is that of a connection, or of a request through a proxy, in a crowd.
type place struct {
	crowd   *Crowd
	close   func() error
	delay   time.Duration   // until the connection may be served
	groups  []*group        // that it counts for; nil once it has left
	idle    []*list.Element // its elements in their lists; nil while it is not idle
	headers int             // bytes of large headers that it holds
}

// NewCrowd returns a crowd without connections.
func NewCrowd(limits Limits, proxies []netip.Prefix, log *slog.Logger) *Crowd {
	limits = limits.WithDefaults()
	return &Crowd{limits: limits, proxies: proxies, client: transport.ForwardedIP(proxies),
		log: &throttledLog{log: log, every: 10 * time.Second}, networks: make(map[string]*group), arrivals: newArrivals(limits.Header)}
}

// CrowdStats describes a crowd at one moment.
type CrowdStats struct {
	Open, Most int
	Evicted    int64 // idle connections closed for new ones, since the start
	Refused    int64 // new connections closed, and requests through proxies refused
}

// Stats returns the current numbers.
func (c *Crowd) Stats() CrowdStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CrowdStats{Open: c.all.open, Most: c.limits.Connections, Evicted: c.evicted, Refused: c.refused}
}

// enter takes a place for a connection from an address, and may close others that
// are idle. It returns nil if there is no room. The place is idle at first.
func (c *Crowd) enter(remote string, closeConn func() error) *place {
	var names []string
	if host, _, err := net.SplitHostPort(remote); err == nil && !transport.FromProxy(c.proxies, remote) {
		names = network.Of(host)
	}
	delay, ok := c.arrive(names)
	if !ok {
		c.log.warn("a client opens connections faster than it may", "address", remote)
		return nil
	}
	p, evicted := c.admit(names, &c.all, closeConn)
	if p != nil {
		p.delay = delay
	}
	if p == nil || evicted > 0 {
		c.log.warn("a client has as many connections as it may have", "address", remote, "open", c.Stats().Open)
	}
	return p
}

// arrive returns how long a new connection of a client's networks waits until it is
// served. It returns false for one that would wait too long.
func (c *Crowd) arrive(networks []string) (delay time.Duration, ok bool) {
	if c.limits.ConnectionsPerAddress >= maxConnections {
		return 0, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if delay, ok = c.arrivals.take(networks, time.Now()); !ok {
		c.refused++
	}
	return delay, ok
}

// enterRequest takes a place for a request through a trusted proxy, for the client's
// networks, and may close idle direct connections of theirs. Of a request that comes
// directly the connection is counted already. The place is given up by leave, which the
// handler's return calls, or when the connection is closed if a handler has hijacked it.
func (c *Crowd) enterRequest(r *http.Request) (leave func(), ok bool) {
	if !transport.FromProxy(c.proxies, r.RemoteAddr) {
		return func() {}, true
	}
	address := c.client(r)
	p, _ := c.admit(network.Of(address), nil, nil)
	if p == nil {
		c.log.warn("a client has as many requests and sockets through a proxy as it may have", "address", fmt.Sprintf("%.100s", address))
		return nil, false
	}
	conn, ok := r.Context().Value(connectionKey{}).(*connection)
	if !ok {
		return p.leave, true
	}
	conn.ofClient.Store(p)
	return conn.answered, true
}

// admit takes a place as take does, and closes the connections that have to leave for
// it. It returns how many those are.
func (c *Crowd) admit(names []string, all *group, closeConn func() error) (p *place, evicted int) {
	p, closing := c.take(names, all, closeConn)
	for _, victim := range closing {
		_ = victim.close() // its client sees that it is closed
	}
	return p, len(closing)
}

// take takes a place in the groups of networks, and in all unless that is nil. The
// idle places that have to leave for it are removed; the caller closes them.
func (c *Crowd) take(names []string, all *group, closeConn func() error) (p *place, closing []*place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p = &place{crowd: c, close: closeConn}
	for i, name := range names {
		g := c.networks[name]
		if g == nil {
			g = &group{name: name}
		}
		if g.open >= c.room(i) && !c.evict(g, &closing) {
			c.refused++
			return nil, closing
		}
		p.groups = append(p.groups, g)
	}
	if all != nil {
		if all.open >= c.limits.Connections && !c.evict(all, &closing) {
			c.refused++
			return nil, closing
		}
		p.groups = append(p.groups, all)
	}
	for _, g := range p.groups {
		if g.open++; g != all {
			c.networks[g.name] = g
		}
	}
	if closeConn != nil {
		p.setIdleLocked(true)
	}
	return p, closing
}

// alwaysRoom is how many connections a network may have even if there is little
// room left: a browser opens six.
const alwaysRoom = 8

// room returns how many connections a network may have now. width counts the steps
// from the narrowest kind of network, each of which doubles the limit.
func (c *Crowd) room(width int) int {
	own := min(c.limits.ConnectionsPerAddress, c.limits.Connections) << width
	return min(own, max(alwaysRoom, c.limits.Connections-c.all.open))
}

// evict removes a group's longest idle place and adds it to closing. It returns
// false if none is idle.
func (c *Crowd) evict(g *group, closing *[]*place) bool {
	longest := g.idle.Front()
	if longest == nil {
		return false
	}
	p := longest.Value.(*place)
	p.leaveLocked()
	c.evicted++
	*closing = append(*closing, p)
	return true
}

// setIdle says whether the connection may be closed for another one.
func (p *place) setIdle(idle bool) {
	p.crowd.mu.Lock()
	defer p.crowd.mu.Unlock()
	p.setIdleLocked(idle)
}

func (p *place) setIdleLocked(idle bool) {
	for i, e := range p.idle {
		p.groups[i].idle.Remove(e)
	}
	p.idle = nil
	if idle {
		for _, g := range p.groups {
			p.idle = append(p.idle, g.idle.PushBack(p))
		}
	}
}

// leave gives the place up. Further calls do nothing.
func (p *place) leave() {
	p.crowd.mu.Lock()
	defer p.crowd.mu.Unlock()
	p.leaveLocked()
}

func (p *place) leaveLocked() {
	p.setIdleLocked(false)
	p.holdHeadersLocked(0)
	for _, g := range p.groups {
		if g.open--; g.open == 0 && g != &p.crowd.all {
			delete(p.crowd.networks, g.name)
		}
	}
	p.groups = nil
}
