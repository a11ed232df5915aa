package e2e

import (
	"slices"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

// A database should not be restored under a running server. If it happens, open
// subscriptions must not continue in the other history, and the server must refuse
// cursors of the undone one.
func TestDatabaseRestoredUnderAServerMisleadsNoClient(t *testing.T) {
	t.Parallel()
	p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	s := apitest.Start(t, p)
	users := apitest.RegisterAll(t, s.URL, "ann", "bob")
	ann, bob := users[0].At(s.URL), users[1].At(s.URL)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	_, ann.ReadAfter = posted(t, bob, "kept", 3)
	kept := apitest.Must(ann.Page(t.Context(), 1, ""))(t).Edges[0].Cursor
	restore := backUp(t, p, ofTheLog)
	live := apitest.Must(ann.Connect(t.Context()))(t)
	defer live.Close()
	if err := live.Subscribe("f", apitest.FeedAddedDocument, apitest.Vars{"after": kept}); err != nil {
		t.Fatal(err)
	}
	posted(t, bob, "undone", 3)
	var undone string
	for range 3 {
		undone = apitest.Must(live.NextEdge("f"))(t).Cursor
	}
	restore()
	if e, err := live.NextEdge("f"); apitest.Code(err) != "UNAVAILABLE" {
		t.Errorf("a subscription over the restore: got %+v and %v, want that it ends with UNAVAILABLE", e, err)
	}
	s.Terminate(t) // it may refuse its log from now on, which another test covers

	again := apitest.Start(t, p)
	ann.URL, bob.URL, ann.ReadAfter = again.URL, again.URL, ""
	texts, position := posted(t, bob, "new", 7)
	ann.ReadAfter = position
	wantRefused(t, ann, "a cursor that was undone", undone)
	wantResumed(t, ann, kept, texts)
}

// A server notices that its views are damaged, and rebuilds them.
func TestViewsDamagedUnderAServerAreRebuilt(t *testing.T) {
	for _, c := range damagedCollections {
		if c.rows || c.says == "" || c.says == "made from another log" {
			continue // who does not compare all rows does not see it, or there is nothing to see
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
			h := newBackedUp(t, p)
			s := apitest.Start(t, p)
			ann, bob := h.ann.At(s.URL), h.bob.At(s.URL)
			views := database(t, p).Collection("views")
			c.do(t, h)
			apitest.Eventually(t, "the server has another generation of the views", func() bool {
				var newest struct{ Generation int64 }
				err := views.FindOne(t.Context(), map[string]string{"_id": "serving"}).Decode(&newest)
				return err == nil && newest.Generation > 1
			})
			_, last := posted(t, bob, "after", 2)
			ann.ReadAfter = last
			want := []string{"after 1", "after 0", "later 3", "later 2", "later 1", "later 0", "kept 2", "kept 1", "kept 0"}
			apitest.Eventually(t, "the feed is whole", func() bool {
				edges, err := ann.Feed(t.Context(), 4)
				return err == nil && slices.Equal(apitest.Contents(edges), want)
			})
			apitest.Ready(t, s.URL)
			s.Terminate(t)
			wantSound(t, p)
		})
	}
}
