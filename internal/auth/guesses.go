package auth

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"chirp/internal/domain"
)

// How long wrong passwords make the next attempt wait. A right password costs
// nothing, and from a network from which the user has logged in before, or used a
// session, only perPair counts. So nobody but those at the same address can keep users from
// logging in where they usually do.
var (
	// perPair is for an account and the narrowest network of the caller.
	perPair = backoff{free: 5, first: 2 * time.Second, most: 15 * time.Minute, forgive: time.Hour}
	// perWidePair is for an account and each of the wider networks, so that one
	// household or company does not use up what perAccount allows.
	perWidePair = backoff{free: 10, first: 2 * time.Second, most: 15 * time.Minute, forgive: time.Hour}
	// perAccount is for an account and all networks that it does not know: 96 a day,
	// however many networks guess.
	perAccount = backoff{free: 30, first: 2 * time.Second, most: 15 * time.Minute, forgive: time.Hour}
	// perNetwork is for a network and all accounts that do not know it. It begins
	// late, because an office or a school may be behind one address.
	perNetwork = backoff{free: 100, first: time.Second, most: 5 * time.Minute, forgive: 5 * time.Minute}
)

// widening is how many times as much each network may do as the one within it.
const widening = 4

// Guesses counts wrong passwords by account and network, and makes the next
// attempts wait longer and longer. It counts in memory, so each server counts for
// itself and a restart forgets. A nil Guesses limits nothing.
type Guesses struct {
	now func() time.Time

	mu                        sync.Mutex // guards what follows
	pairs, networks, accounts counts
	// refusals are the last ones, by name and network, so that a flood of attempts
	// that are refused is not one of reads.
	refusals *simplelru.LRU[string, refusal]
}

// NewGuesses returns Guesses with nothing counted.
func NewGuesses(now func() time.Time) *Guesses {
	refusals, _ := simplelru.NewLRU[string, refusal](maxCounts, nil) // fails only for a size of 0
	return &Guesses{now: now, pairs: newCounts(), networks: newCounts(), accounts: newCounts(), refusals: refusals}
}

// attempt is who tries a password: for which account, and from where.
type attempt struct {
	account  domain.UserID // or a stand-in for one
	networks []string      // the narrowest first
	known    bool          // the user has logged in from the narrowest one before
	since    time.Time     // when that was remembered, if it is known
	session  string        // of a caller whose token is the account's, for whom it alone counts
}

// pair returns the key of the account and a network.
func (a attempt) pair(network string) string { return string(a.account) + " " + network }

// counted is a count that an attempt must wait for.
type counted struct {
	counts
	key string
	backoff
	before, after count // the attempt
}

// counted returns the counts of an attempt. A name that no user can have is not
// counted as an account, because it is that of all callers who mistype theirs.
func (g *Guesses) counted(a attempt) (all []*counted) {
	add := func(in counts, key string, b backoff) {
		all = append(all, &counted{counts: in, key: key, backoff: b})
	}
	if a.session != "" {
		add(g.pairs, a.pair(a.session), perPair)
		return all
	}
	networks, named, factor := a.networks, a.account != noUser, 1
	if a.known {
		networks = networks[:1]
	}
	for i, network := range networks {
		switch {
		case named && i == 0:
			add(g.pairs, a.pair(network), perPair)
		case named:
			add(g.pairs, a.pair(network), perWidePair)
		}
		if !a.known {
			add(g.networks, network, perNetwork.wider(factor))
		}
		factor *= widening
	}
	if named && !a.known {
		add(g.accounts, string(a.account), perAccount)
	}
	return all
}

// check returns an error of kind RateLimited if an attempt must wait.
func (g *Guesses) check(a attempt) error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return waitFor(g.counted(a), g.now())
}

func waitFor(all []*counted, now time.Time) error {
	var wait time.Duration
	for _, c := range all {
		wait = max(wait, c.get(c.key).until.Sub(now))
	}
	if wait <= 0 {
		return nil
	}
	return tooSoon(wait)
}

// begin counts an attempt as a failure, so that attempts at the same time cannot
// all be the last that is free. settle takes that back unless the password was
// wrong. If the attempt must wait, begin counts nothing and returns the error of
// check.
func (g *Guesses) begin(a attempt) (settle func(outcome), err error) {
	if g == nil {
		return func(outcome) {}, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	all, now := g.counted(a), g.now()
	if err := waitFor(all, now); err != nil {
		return nil, err
	}
	for _, c := range all {
		c.before = c.get(c.key)
		c.after = c.before.failed(c.backoff, now)
		c.set(c.key, c.after)
	}
	return func(o outcome) { g.settle(all, o) }, nil
}

// outcome is how an attempt ended.
type outcome int

const (
	wrong outcome = iota
	right
	void // it is not known whether the password is right
)

func (g *Guesses) settle(all []*counted, o outcome) {
	if o == wrong {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range all {
		switch now := c.get(c.key); {
		case o == right && c.counts == g.pairs: // a caller who knows the password need not guess
			c.set(c.key, count{})
		case now == c.after:
			c.set(c.key, c.before)
		default: // others have failed meanwhile
			now.failures = max(0, now.failures-1)
			c.set(c.key, now)
		}
	}
}

// turn returns the keys of an attempt at the gate. Callers from known networks and
// the others take turns, so that those who flood the server with log-ins cannot
// delay the usual ones for long. Then the widest networks take turns.
func (a attempt) turn() []string {
	keys := []string{"unknown"}
	if a.known || a.session != "" {
		keys[0] = "known"
	}
	for _, network := range slices.Backward(a.networks) {
		keys = append(keys, network)
	}
	return append(keys, string(a.account))
}
