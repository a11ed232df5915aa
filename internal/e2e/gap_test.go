package e2e

import (
	"net/http"
	"strings"
	"testing"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestServerNoticesAGapInItsLog removes an event from the middle of the log, while
// a server runs and while none does, and follows the advice.
func TestServerNoticesAGapInItsLog(t *testing.T) {
	t.Parallel()
	p, db, s := onSharedMongoDB(t)
	bob := society(t, s.URL)[1]
	const named = "the log has a gap: the event at position 5 is missing; put the missing documents back, which chirp verify names"
	for _, running := range []bool{true, false} {
		if !running {
			s.Terminate(t)
		}
		var doc bson.D
		if err := db.Collection("events").FindOneAndDelete(t.Context(), bson.D{{Key: "_id", Value: 5}}).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		if !running {
			s = apitest.Launch(t, p)
		}
		apitest.AwaitProbe(t, s.Ops, http.StatusServiceUnavailable, named)
		if running {
			if _, err := bob.At(s.URL).Post(t.Context(), "beyond a gap", ""); apitest.Code(err) != "UNAVAILABLE" {
				t.Errorf("post: got %v, want UNAVAILABLE", err)
			}
		}
		if n := strings.Count(s.Log.String(), "appends are refused"); n != 1 {
			t.Errorf("the server's log says %d times that appends are refused, want once", n)
		}
		if e := p.Command(t, "verify"); e.Code != 1 || !strings.Contains(e.Out, "event 5 of the log: want no gap") {
			t.Errorf("verify: exit code %d, output %q, log %q; want 1 and the event that is missing", e.Code, e.Out, e.Log)
		}
		apitest.Must(db.Collection("events").InsertOne(t.Context(), doc))(t)
		apitest.Ready(t, s.URL)
		apitest.Must(bob.At(s.URL).Post(t.Context(), "without a gap", ""))(t)
		wantSound(t, p)
	}
	s.Terminate(t)
}
