package query

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Cache keeps rows of the views that never change: chirps, with their cursors, and what
// is constant of users. It keeps them for one generation of the views and one history of
// the log (see history), and forgets them all when another takes its place, so a row that
// it has is the one that the views have. It does not keep what is absent, because that
// may come. It is bounded in bytes, and drops what was not used for the longest time.
type Cache struct {
	history history

	mu     sync.Mutex
	of     historyID // the history of the rows
	chirps *simplelru.LRU[domain.Position, Edge[readmodel.Chirp]]
	users  *simplelru.LRU[readmodel.UserKey, readmodel.User]
	keys   map[domain.UserID]readmodel.UserKey // of users
	// chirpBytes and userBytes are sizes, and mostChirps and mostUsers their bounds.
	chirpBytes, mostChirps int64
	userBytes, mostUsers   int64

	chirpReads, userReads reads
}

// reads counts rows that were asked for.
type reads struct{ hits, misses atomic.Int64 }

func (r *reads) count(asked, missing int) {
	r.hits.Add(int64(asked - missing))
	r.misses.Add(int64(missing))
}

const (
	// chirpOverhead and userOverhead are about what a row takes besides its texts: the
	// row, its places in the list and in the maps.
	chirpOverhead = 280
	userOverhead  = 320
)

func chirpSize(e Edge[readmodel.Chirp]) int64 {
	return chirpOverhead + int64(len(e.Node.ID)+len(e.Node.Content)+len(e.Cursor))
}

func userSize(u readmodel.User) int64 {
	return userOverhead + int64(len(u.ID)+len(u.Username))
}

// NewCache returns an empty cache that takes about as many bytes when it is full.
func NewCache(bytes int64) *Cache {
	c := &Cache{history: history{checking: make(chan struct{}, 1)}, keys: map[domain.UserID]readmodel.UserKey{},
		mostUsers: bytes / 4, mostChirps: bytes - bytes/4}
	// The lists are bounded in bytes. NewLRU fails only for a size of 0.
	c.chirps, _ = simplelru.NewLRU(math.MaxInt, func(_ domain.Position, e Edge[readmodel.Chirp]) { c.chirpBytes -= chirpSize(e) })
	c.users, _ = simplelru.NewLRU(math.MaxInt, func(_ readmodel.UserKey, u readmodel.User) {
		c.userBytes -= userSize(u)
		delete(c.keys, u.ID)
	})
	return c
}

// CacheStats describes a Cache.
type CacheStats struct {
	Chirps, Users CachedRows
}

// CachedRows describes the rows of one kind in a Cache.
type CachedRows struct {
	Rows   int
	Bytes  int64
	Hits   int64 // rows that were asked for and there
	Misses int64 // rows that were asked for and not there
}

// Stats returns the numbers of rows, bytes, hits and misses.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{
		Chirps: CachedRows{c.chirps.Len(), c.chirpBytes, c.chirpReads.hits.Load(), c.chirpReads.misses.Load()},
		Users:  CachedRows{c.users.Len(), c.userBytes, c.userReads.hits.Load(), c.userReads.misses.Load()},
	}
}

// enter makes the cache one of a history, which empties it if it is of another. It
// reports whether it is of that history: a caller in an older one may come late.
func (c *Cache) enter(of historyID) bool {
	if of > c.of {
		c.of = of
		c.chirps.Purge()
		c.users.Purge()
	}
	return of == c.of && of != 0
}

// chirpsAt stores the chirps at some positions in found, which has a place for each, and
// returns the positions of those that it does not have.
func (c *Cache) chirpsAt(of historyID, at []domain.Position, found []Edge[readmodel.Chirp]) (missing []domain.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.enter(of) {
		return at
	}
	for i, p := range at {
		if e, ok := c.chirps.Get(p); ok {
			found[i] = e
		} else {
			missing = append(missing, p)
		}
	}
	c.chirpReads.count(len(at), len(missing))
	return missing
}

// addChirps adds chirps that a reader of a history has read.
func (c *Cache) addChirps(of historyID, rows []Edge[readmodel.Chirp]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.enter(of) {
		return
	}
	for _, e := range rows {
		if !c.chirps.Contains(e.Node.Position) {
			c.chirps.Add(e.Node.Position, e)
			c.chirpBytes += chirpSize(e)
		}
	}
	for c.chirpBytes > c.mostChirps {
		c.chirps.RemoveOldest()
	}
}

// usersOf adds the users with some keys to found, and returns the keys of those that it
// does not have.
func (c *Cache) usersOf(of historyID, keys []readmodel.UserKey, found map[readmodel.UserKey]readmodel.User) (missing []readmodel.UserKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.enter(of) {
		return keys
	}
	for _, k := range keys {
		if u, ok := c.users.Get(k); ok {
			found[k] = u
		} else {
			missing = append(missing, k)
		}
	}
	c.userReads.count(len(keys), len(missing))
	return missing
}

// userByID returns the user with an id, if it has that one.
func (c *Cache) userByID(of historyID, id domain.UserID) (readmodel.User, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.enter(of) {
		return readmodel.User{}, false
	}
	u, ok := c.users.Get(c.keys[id])
	if ok {
		c.userReads.count(1, 0)
	}
	return u, ok
}

// addUsers adds users that a reader of a history has read.
func (c *Cache) addUsers(of historyID, rows ...readmodel.User) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.enter(of) {
		return
	}
	for _, u := range rows {
		if !c.users.Contains(u.Key) {
			c.users.Add(u.Key, u)
			c.keys[u.ID] = u.Key
			c.userBytes += userSize(u)
		}
	}
	for c.userBytes > c.mostUsers {
		c.users.RemoveOldest()
	}
}
