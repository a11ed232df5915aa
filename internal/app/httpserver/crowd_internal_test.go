package httpserver

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"

	"chirp/internal/network"
)

// guests are a crowd whose connections are names in a list.
type guests struct {
	*Crowd
	open []string
	last int // the number of the last one that came
}

func newGuests(most, perAddress int, proxies ...netip.Prefix) *guests {
	return &guests{Crowd: NewCrowd(Limits{Connections: most, ConnectionsPerAddress: perAddress}, proxies, slog.New(slog.DiscardHandler))}
}

// come opens n connections from an address until one is refused. It returns the last
// place and how many were admitted.
func (g *guests) come(address string, n int) (last *place, admitted int) {
	for range n {
		g.last++
		name := fmt.Sprint(address, " ", g.last)
		p := g.enter(netip.AddrPortFrom(netip.MustParseAddr(address), uint16(g.last)).String(), func() error {
			g.open = slices.DeleteFunc(g.open, func(o string) bool { return o == name })
			return nil
		})
		if p == nil {
			return last, admitted
		}
		g.open = append(g.open, name)
		last, admitted = p, admitted+1
	}
	return last, admitted
}

// busy is come for connections that are in use.
func (g *guests) busy(address string, n int) (admitted int) {
	for range n {
		p, ok := g.come(address, 1)
		if ok == 0 {
			return admitted
		}
		p.setIdle(false)
		admitted++
	}
	return admitted
}

// want checks how many are open, if none has left by itself.
func (g *guests) want(t *testing.T, when string, open int) {
	t.Helper()
	if s := g.Stats(); s.Open != open || len(g.open) != open {
		t.Errorf("%s: got %d open, and %d not closed, want %d", when, s.Open, len(g.open), open)
	}
}

func TestIdleConnectionsMakeRoomForNewOnesOfTheirAddress(t *testing.T) {
	g := newGuests(100, 10)
	g.come("192.0.2.1", 10)
	g.come("192.0.2.2", 10)
	g.want(t, "with two addresses at their limit", 20)
	if _, n := g.come("192.0.2.1", 1); n != 1 || slices.Contains(g.open, "192.0.2.1 1") || !slices.Contains(g.open, "192.0.2.1 2") {
		t.Errorf("one more: got %d admitted and %v open, want it in place of the longest idle one", n, g.open)
	}
	g.want(t, "after one more", 20)
	if s := g.Stats(); s.Evicted != 1 || s.Refused != 0 {
		t.Errorf("got %+v, want one evicted", s)
	}
}

func TestConnectionsInUseAreNotClosed(t *testing.T) {
	g := newGuests(100, 10)
	if n := g.busy("192.0.2.1", 11); n != 10 {
		t.Errorf("got %d admitted, want 10", n)
	}
	if s := g.Stats(); s.Evicted != 0 || s.Refused != 1 {
		t.Errorf("got %+v, want one refused", s)
	}
	p, _ := g.come("192.0.2.2", 1)
	p.setIdle(false)
	p.setIdle(true)
	p.leave()
	p.leave()
	p.setIdle(true)
	if s := g.Stats(); s.Open != 10 {
		t.Errorf("after one has left, twice: got %d open, want 10", s.Open)
	}
}

func TestOneAddressLeavesRoomForOthers(t *testing.T) {
	g := newGuests(1000, 1<<20)
	if n := g.busy("192.0.2.1", 1000); n != 500 {
		t.Errorf("the first address: got %d, want half", n)
	}
	if n := g.busy("192.0.2.2", 1000); n != 250 {
		t.Errorf("the second one: got %d, want half of the rest", n)
	}
	for i := range 30 {
		if n := g.busy(fmt.Sprintf("192.0.2.%d", 3+i), 6); n != 6 {
			t.Fatalf("newcomer %d: got %d, want as many as a browser opens", i, n)
		}
	}
}

func TestIdleConnectionsOfManyAddressesMakeRoom(t *testing.T) {
	g := newGuests(200, 100)
	for i := range 100 {
		g.come(fmt.Sprintf("198.51.100.%d", i), 20)
	}
	g.want(t, "after a hundred addresses", 200)
	if n := g.busy("192.0.2.1", 6); n != 6 {
		t.Errorf("a newcomer: got %d admitted, want 6", n)
	}
	g.want(t, "with a newcomer", 200)
}

func TestNetworksOfAHouseholdAndOfACompanyShareALimit(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		want    int
	}{
		"an address":  {"2001:db8:0:100::%x", 10},
		"a /64":       {"2001:db8:0:100::%x", 10},
		"a household": {"2001:db8:0:1%02x::1", 20},
		"a company":   {"2001:db8:0:%x00::1", 40},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuests(10_000, 10)
			admitted := 0
			for i := range 200 {
				admitted += g.busy(fmt.Sprintf(c.address, i+1), 1)
			}
			if admitted != c.want {
				t.Errorf("got %d admitted, want %d", admitted, c.want)
			}
			if n := g.busy("2001:db8:1::1", 10); n != 10 {
				t.Errorf("another network: got %d admitted, want 10", n)
			}
		})
	}
}

func TestProxiesAreLimitedInAllOnly(t *testing.T) {
	g := newGuests(100, 10, netip.MustParsePrefix("10.0.0.0/8"))
	if n := g.busy("10.0.0.1", 200); n != 100 {
		t.Errorf("a proxy: got %d admitted, want 100", n)
	}
}

// TestRequestsThroughAProxyCloseIdleConnectionsOfTheirNetwork mixes both kinds in one
// network: what is no longer counted must not stay open.
func TestRequestsThroughAProxyCloseIdleConnectionsOfTheirNetwork(t *testing.T) {
	g := newGuests(100, 3, netip.MustParsePrefix("10.0.0.1/32"))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	g.busy("192.0.2.1", 1)
	g.come("192.0.2.1", 2)
	for i := range 2 {
		if _, ok := g.enterRequest(r); !ok {
			t.Errorf("request %d: it is refused, want it in place of an idle connection", i)
		}
		g.want(t, "after a request", 2-i)
	}
	if _, ok := g.enterRequest(r); ok {
		t.Error("a third request is admitted, want it refused because no connection is idle")
	}
	g.want(t, "with a busy one and two requests", 1)
}

// TestCrowdKeepsCount compares a crowd with a recount after random steps.
func TestCrowdKeepsCount(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	g := newGuests(40, 12)
	open := map[*place]string{}
	for range 20_000 {
		switch address := fmt.Sprintf("2001:db8::%x:0:0:0:1", random.IntN(6)); random.IntN(3) {
		case 0:
			var p *place
			if p = g.enter(netip.AddrPortFrom(netip.MustParseAddr(address), 1).String(), func() error { delete(open, p); return nil }); p != nil {
				open[p] = address
			}
		case 1:
			for p := range open {
				p.setIdle(random.IntN(2) == 0)
				break
			}
		default:
			for p := range open {
				p.leave()
				delete(open, p)
				break
			}
		}
		count := map[string]int{}
		for _, address := range open {
			for _, name := range network.Of(address) {
				count[name]++
			}
		}
		for name, n := range g.networks {
			if n.open != count[name] || n.idle.Len() > n.open {
				t.Fatalf("%s: got %d open and %d idle, want %d open", name, n.open, n.idle.Len(), count[name])
			}
		}
		if g.all.open != len(open) || g.all.open > 40 || len(g.networks) != len(count) {
			t.Fatalf("got %d open in %d networks, want %d in %d", g.all.open, len(g.networks), len(open), len(count))
		}
	}
}
