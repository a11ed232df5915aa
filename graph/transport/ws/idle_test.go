package ws_test

import (
	"runtime"
	"testing"

	"chirp/graph/graphtest"
)

// Sockets are many, and most of them wait.
func TestASocketThatWaitsHasOneGoroutine(t *testing.T) {
	const sockets = 50
	w := graphtest.New(t)
	ada := w.Person("ada")
	first := w.Socket(t, ada.Token) // starts what all share
	first.Subscribe("q", "{ __typename }")
	first.Next("q")
	before := runtime.NumGoroutine()
	for range sockets {
		w.Socket(t, ada.Token)
	}
	w.Eventually("a goroutine for each socket", func() bool { return runtime.NumGoroutine()-before <= sockets+sockets/10 })
}
