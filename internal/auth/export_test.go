package auth

import "context"

// Occupy takes the place of one hash until it is released.
func Occupy(p *Passwords) (release func()) {
	release, err := p.gate.Enter(context.Background())
	if err != nil {
		panic(err)
	}
	return release
}
