package main

import (
	"slices"
	"testing"

	"chirp/internal/storage/mongodb/mongotest"
)

// A database is restored under a server, which nobody should do: what is open
// does not go on in the other history, and what was given out is refused.
func TestADatabaseRestoredUnderAServerMisleadsNobody(t *testing.T) {
	t.Parallel()
	p := onMongoDB(mongotest.URI(t), mongotest.Database(t))
	s := start(t, p)
	users := registerAll(t, s.url, "ann", "bob")
	ann, bob := users[0].at(s.url), users[1].at(s.url)
	must(ann.follow(t.Context(), users[1].ID, ""))(t)
	_, ann.readAfter = posted(t, bob, "kept", 3)
	kept := must(ann.page(t.Context(), 1, ""))(t).Edges[0].Cursor
	restore := p.backup(t, ofTheLog)
	live := must(ann.connect(t.Context()))(t)
	defer live.close()
	if err := live.subscribe("f", feedAddedDocument, vars{"after": kept}); err != nil {
		t.Fatal(err)
	}
	posted(t, bob, "undone", 3)
	var undone string
	for range 3 {
		undone = must(live.nextEdge("f"))(t).Cursor
	}
	restore()
	if e, err := live.nextEdge("f"); code(err) != "UNAVAILABLE" {
		t.Errorf("a subscription over the restore: got %+v and %v, want that it ends with UNAVAILABLE", e, err)
	}
	s.end() // its log may be refused for good; that is not what is tried here
	<-s.done

	again := start(t, p)
	ann.url, bob.url, ann.readAfter = again.url, again.url, ""
	texts, position := posted(t, bob, "new", 7)
	ann.readAfter = position
	ann.wantRefused(t, "a cursor that was undone", undone)
	wantResumed(t, ann, kept, texts)
}

// Views are damaged under a server: it notices, and makes them anew.
func TestViewsDamagedUnderAServerAreMadeAnew(t *testing.T) {
	for _, c := range damagedCollections {
		if c.rows || c.says == "" || c.says == "made from another log" {
			continue // who does not compare all rows does not see it, or there is nothing to see
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := onMongoDB(mongotest.URI(t), mongotest.Database(t))
			h := newPast(t, p)
			s := start(t, p)
			ann, bob := h.ann.at(s.url), h.bob.at(s.url)
			views := database(t, p).Collection("views")
			c.do(t, h)
			eventually(t, "the server has another generation of the views", func() bool {
				var newest struct{ Generation int64 }
				err := views.FindOne(t.Context(), map[string]string{"_id": "serving"}).Decode(&newest)
				return err == nil && newest.Generation > 1
			})
			_, last := posted(t, bob, "after", 2)
			ann.readAfter = last
			want := []string{"after 1", "after 0", "later 3", "later 2", "later 1", "later 0", "kept 2", "kept 1", "kept 0"}
			eventually(t, "the feed is whole", func() bool {
				edges, err := ann.feed(t.Context(), 4)
				return err == nil && slices.Equal(contents(edges), want)
			})
			ready(t, s.url)
			s.stop(t)
			wantSound(t, p)
		})
	}
}
