package views

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Callers share readings, but none is answered from a reading that began before it called.
func TestCallersShareTheNextOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o openings
		readings := 0
		read := func(of *opening) {
			readings++
			of.began = time.Now()
			time.Sleep(time.Second)
		}
		var callers sync.WaitGroup
		for i := range 100 {
			callers.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				called := time.Now()
				of := o.join(read)
				<-of.done
				if of.began.Before(called) {
					t.Errorf("a caller at %s got a reading of %s", called, of.began)
				}
				if wait := time.Since(called); wait > 2*time.Second {
					t.Errorf("a caller waited %s, want no longer than two readings", wait)
				}
			})
		}
		callers.Wait()
		if readings < 9 || readings > 12 {
			t.Errorf("100 callers within 10 s took %d readings of 1 s, want about 10", readings)
		}
		synctest.Wait()
		if o.running || o.next != nil {
			t.Error("something is read although nobody waits")
		}
	})
}
