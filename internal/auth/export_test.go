package auth

// TakeTurn takes one of the turns that Passwords gives, until it is released.
func TakeTurn(p *Passwords) (release func()) {
	p.turns <- struct{}{}
	return func() { <-p.turns }
}
