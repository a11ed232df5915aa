package auth

import "context"

// TakeTurn takes one of the turns that Passwords gives, until it is released.
func TakeTurn(p *Passwords) (release func()) {
	release, err := p.turns.Enter(context.Background())
	if err != nil {
		panic(err)
	}
	return release
}
