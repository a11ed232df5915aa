package subscription

import "sync"

// bell is rung when there may be something for a subscription: a goroutine waits for
// it, or a function is to be called because none does.
type bell struct {
	rung chan struct{} // has an element after it was rung while no function was to be called

	mu   sync.Mutex
	wake func() // nil if none is to be called
}

func newBell() *bell { return &bell{rung: make(chan struct{}, 1)} }

func (b *bell) ring() {
	if wake := b.take(); wake != nil {
		wake()
		return
	}
	notify(b.rung)
}

// rest has wake called when the bell is rung next.
func (b *bell) rest(wake func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake = wake
}

// take returns the function that is to be called, which then is not.
func (b *bell) take() (wake func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wake, b.wake = b.wake, nil
	return wake
}

// notify puts an element into a channel of capacity 1, unless it has one.
func notify(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
