package auth

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxVerified is how many tokens are remembered, in about 4 MB.
const maxVerified = 10_000

// verified remembers the tokens issued here that were verified last, because that takes as
// long as a small operation. A token's signature and claims never change, so that only the
// time decides whether one that was valid still is. It is remembered by its hash: who can
// read the memory finds no tokens, and how long a look-up takes says nothing about them.
type verified struct {
	mu     sync.Mutex
	byHash *simplelru.LRU[[sha256.Size]byte, Bearer]
}

func newVerified() *verified {
	v := &verified{}
	v.byHash, _ = simplelru.NewLRU[[sha256.Size]byte, Bearer](maxVerified, nil) // fails only for a size of 0
	return v
}

// get returns what a token says, and false if it is not remembered.
func (v *verified) get(hash [sha256.Size]byte) (Bearer, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.byHash.Get(hash)
}

func (v *verified) add(hash [sha256.Size]byte, b Bearer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.byHash.Add(hash, b)
}

// validAt reports whether a token without a time before which it is not valid is valid at
// a time, as the parser decides it.
func (b Bearer) validAt(now time.Time) bool {
	return now.Before(b.Expires.Add(tokenLeeway)) && (b.Issued.IsZero() || !now.Before(b.Issued.Add(-tokenLeeway)))
}
