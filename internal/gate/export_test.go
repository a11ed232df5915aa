package gate

// Keys returns how many keys a gate remembers.
func Keys(g *Gate) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.turns.keys()
}

func (t *turns) keys() int {
	n := len(t.byKey)
	for _, below := range t.byKey {
		n += below.keys()
	}
	return n
}

// Counted returns of how many keys a gate counts the places.
func Counted(g *Gate) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.perKey)
}
