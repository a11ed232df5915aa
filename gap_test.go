package main

import (
	"net/http"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestAServerNoticesAGapInItsLog takes an event out of the middle, while a
// server runs and while none does, and follows the advice.
func TestAServerNoticesAGapInItsLog(t *testing.T) {
	t.Parallel()
	p, db, s := onSharedMongoDB(t)
	bob := society(t, s.url)[1]
	const named = "the log has a gap: the event at position 5 is missing; put the documents back that are missing, which chirp verify names"
	for _, running := range []bool{true, false} {
		if !running {
			s.terminate(t)
		}
		var doc bson.D
		if err := db.Collection("events").FindOneAndDelete(t.Context(), bson.D{{Key: "_id", Value: 5}}).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		if !running {
			s = launch(t, p)
		}
		awaitProbe(t, s.url, http.StatusServiceUnavailable, named)
		if running {
			if _, err := bob.at(s.url).post(t.Context(), "beyond a gap", ""); code(err) != "UNAVAILABLE" {
				t.Errorf("post: got %v, want UNAVAILABLE", err)
			}
		}
		if n := strings.Count(s.log.String(), "appends are refused"); n != 1 {
			t.Errorf("the server's log says %d times that appends are refused, want once", n)
		}
		if e := p.command(t, "verify"); e.code != 1 || !strings.Contains(e.out, "event 5 of the log: want no gap") {
			t.Errorf("verify: exit code %d, output %q, log %q; want 1 and the event that is missing", e.code, e.out, e.log)
		}
		must(db.Collection("events").InsertOne(t.Context(), doc))(t)
		ready(t, s.url)
		must(bob.at(s.url).post(t.Context(), "without a gap", ""))(t)
		wantSound(t, p)
	}
	s.terminate(t)
}
