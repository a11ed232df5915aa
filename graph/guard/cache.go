package guard

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// cache has the most recently used values by key. Their sizes are bounded, of each
// and of all.
type cache[K comparable, V any] struct {
	each, all int
	sizeOf    func(V) int

	mu    sync.Mutex
	size  int
	byKey *simplelru.LRU[K, V]
}

func newCache[K comparable, V any](each, all int, sizeOf func(V) int) *cache[K, V] {
	c := &cache[K, V]{each: each, all: all, sizeOf: sizeOf}
	c.byKey, _ = simplelru.NewLRU(math.MaxInt, func(_ K, v V) { c.size -= sizeOf(v) }) // fails only for a size of 0
	return c
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byKey.Get(key)
}

// add caches a value, unless it is so large that a few like it would push out all
// others.
func (c *cache[K, V]) add(key K, value V) {
	if c.sizeOf(value) > c.each {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey.Contains(key) {
		return
	}
	c.byKey.Add(key, value)
	for c.size += c.sizeOf(value); c.size > c.all; {
		c.byKey.RemoveOldest()
	}
}

// maxCached bounds the bytes of text of all cached documents, and
// maxCachedDocument those of each. In memory a document takes up to a hundred
// times as much as its text.
const (
	maxCached         = 256 << 10
	maxCachedDocument = 32 << 10
)

// newDocumentCache returns a cache of documents by their hash.
func newDocumentCache() *cache[hash, *document] {
	return newCache[hash](maxCachedDocument, maxCached, func(d *document) int { return len(d.text) })
}
