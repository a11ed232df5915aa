package guard

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxCached bounds the bytes of text of all cached documents, and
// maxCachedDocument those of each. In memory a document takes up to a hundred
// times as much as its text.
const (
	maxCached         = 256 << 10
	maxCachedDocument = 32 << 10
)

// documentCache has the most recently used documents by their hash.
type documentCache struct {
	mu     sync.Mutex
	size   int // bytes of text
	byHash *simplelru.LRU[hash, *document]
}

func newDocumentCache() *documentCache {
	c := &documentCache{}
	c.byHash, _ = simplelru.NewLRU(math.MaxInt, func(_ hash, d *document) { c.size -= len(d.text) }) // fails only for a size of 0
	return c
}

func (c *documentCache) get(h hash) *document {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, _ := c.byHash.Get(h)
	return d
}

// add caches a document, unless it is so large that a few like it would push out
// all others.
func (c *documentCache) add(h hash, d *document) {
	if len(d.text) > maxCachedDocument {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byHash.Contains(h) {
		return
	}
	c.byHash.Add(h, d)
	for c.size += len(d.text); c.size > maxCached; {
		c.byHash.RemoveOldest()
	}
}
