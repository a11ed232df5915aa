package gate

import "container/list"

// caller is a call of Enter.
type caller struct {
	n        int    // places that it needs
	first    string // key that limits it, if limited
	limited  bool
	own      bool
	reserved bool       // its places are of the reserve
	answer   chan error // one answer: nil when it is admitted

	at    *turns        // where it waits, nil when it does not
	in    *list.Element // of at.order
	inOwn *list.Element // of Gate.own, nil for clients
}

// turns is a queue of callers and of further turns, one for each key. Whatever is
// at the front has the next turn; turns that are not empty then go to the back.
// The zero value is an empty queue.
type turns struct {
	order   list.List // of *caller and *turns
	byKey   map[string]*turns
	waiting int // callers here and below

	above *turns        // nil for the whole queue
	key   string        // in above
	in    *list.Element // of above.order
}

// add adds a caller behind the others of its path.
func (t *turns) add(c *caller, path []string) {
	for _, key := range path {
		t = t.below(key)
	}
	c.at, c.in = t, t.order.PushBack(c)
	for ; t != nil; t = t.above {
		t.waiting++
	}
}

// below returns the turns of a key.
func (t *turns) below(key string) *turns {
	if found := t.byKey[key]; found != nil {
		return found
	}
	if t.byKey == nil {
		t.byKey = map[string]*turns{}
	}
	added := &turns{above: t, key: key}
	added.in = t.order.PushBack(added)
	t.byKey[key] = added
	return added
}

// next returns the caller that has the next turn, or nil. Those with the first keys
// that may not are passed over.
func (t *turns) next(may func(*caller) bool) *caller {
	for e := t.order.Front(); e != nil; e = e.Next() {
		if c := front(e); may(c) {
			return c
		}
	}
	return nil
}

// front returns the caller who has the first turn at an element, which has one.
func front(e *list.Element) *caller {
	for {
		below, ok := e.Value.(*turns)
		if !ok {
			return e.Value.(*caller)
		}
		e = below.order.Front()
	}
}

// take removes a caller that has had its turn: the other keys of its path are next.
func (t *turns) take(c *caller) {
	for at := c.at; at.above != nil; at = at.above {
		at.above.order.MoveToBack(at.in)
	}
	t.remove(c)
}

// remove removes a caller, and the keys under which no other waits. Those that
// remain keep their turns, so that a client that comes and goes does not move
// others back.
func (t *turns) remove(c *caller) {
	c.at.order.Remove(c.in)
	for at := c.at; at != nil; at = at.above {
		at.waiting--
		if at.waiting == 0 && at.above != nil {
			at.above.order.Remove(at.in)
			delete(at.above.byKey, at.key)
		}
	}
	c.at = nil
}

// last returns the client that came last among those of the key that has the most
// callers waiting, or nil if only the server's own calls wait.
func (t *turns) last() *caller {
	var last *caller
	var busiest *turns
	for e := t.order.Back(); e != nil; e = e.Prev() {
		switch waits := e.Value.(type) {
		case *turns:
			if busiest == nil || waits.waiting > busiest.waiting {
				busiest = waits
			}
		case *caller:
			if last == nil && !waits.own {
				last = waits
			}
		}
	}
	if busiest != nil {
		return busiest.last()
	}
	return last
}
