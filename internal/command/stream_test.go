package command

import (
	"context"
	"maps"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// growing is a log whose streams have one more event at each load.
type growing struct {
	eventstore.Log
	events []eventstore.Event
}

func (g *growing) Load(context.Context, domain.StreamID) ([]eventstore.Event, error) {
	g.events = append(g.events, eventstore.Event{
		Version: int64(len(g.events)) + 1, Type: "user.followed.v1", Data: []byte(`{"followerId":"user_a","followeeId":"user_b"}`),
	})
	return g.events, nil
}

func TestADecisionExpectsTheVersionsThatItLoaded(t *testing.T) {
	d := decision{handler: &Handler{Events: &growing{}}, loaded: make(eventstore.Versions)}
	for _, stream := range []domain.StreamID{"follow:user_a:user_b", "user:user_a", "follow:user_a:user_b"} {
		if _, err := d.load(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	events, expected, err := d.write([]domain.Event{
		domain.UserUnfollowed{FollowerID: "user_a", FolloweeID: "user_b"},
		domain.ChirpPosted{ChirpID: "chirp_a", AuthorID: "user_a"},
		domain.UserFollowed{FollowerID: "user_a", FolloweeID: "user_b"},
	})
	want := eventstore.Versions{"follow:user_a:user_b": 1, "chirp:chirp_a": 0}
	if err != nil || len(events) != 3 || !maps.Equal(expected, want) {
		t.Errorf("got %d events, expected versions %v, error %v; want 3 and %v", len(events), expected, err, want)
	}
}
