package guard

import (
	"container/list"
	"sync"
)

// maxKept bounds the bytes of text of all documents that are kept, and
// maxKeptOne those of each. In memory a document takes up to a hundred times
// as much as its text.
const (
	maxKept    = 256 << 10
	maxKeptOne = 32 << 10
)

// cache keeps the documents that were asked for last, by their hash.
type cache struct {
	mu     sync.Mutex
	size   int // bytes of text
	byHash map[hash]*list.Element
	recent *list.List // of *document, who was asked for last first
}

func newCache() *cache { return &cache{byHash: map[hash]*list.Element{}, recent: list.New()} }

func (c *cache) get(h hash) *document {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byHash[h]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*document)
}

// add keeps a document, unless it is large, so that nobody can fill the memory
// or push out everybody else's with one.
func (c *cache) add(h hash, d *document) {
	if len(d.text) > maxKeptOne {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byHash[h] != nil {
		return
	}
	c.byHash[h] = c.recent.PushFront(d)
	for c.size += len(d.text); c.size > maxKept; {
		oldest := c.recent.Remove(c.recent.Back()).(*document)
		delete(c.byHash, oldest.hash)
		c.size -= len(oldest.text)
	}
}
