package verify_test

import (
	"testing"
)

// split writes a history with a follow that skips chirps: bob, user 3, follows ann,
// user 1, at 10, and skips her chirps at 5 and 6, but not those at 7 to 9 and 11.
func (w *writer) split(t testing.TB) {
	t.Helper()
	w.register(t, "ann", "bob")
	for range 5 {
		w.post(t, 0, "hello")
	}
	w.follow(t, 1, 0)
	w.post(t, 0, "hello")
}

// splitDamages are damages to the history of split.
var splitDamages = []damage{
	{name: "a split that skips too many", sql: "UPDATE follows SET older = 7",
		want: []string{
			"follower since 10 of @ann (user 1): want user 3 follows user 1, skipping 3 chirps through position 7, got user 3 follows user 1, skipping 2 chirps through position 7",
			"followed user since 10 of @bob (user 3): want user 3 follows user 1, skipping 3 chirps through position 7, got user 3 follows user 1, skipping 2 chirps through position 7",
			"timeline entry 7 of @bob (user 3): want none, got one",
		}},
	{name: "a split at no chirp", sql: "UPDATE follows SET older = 4",
		want: []string{"follower since 10", "want user 3 follows user 1, got user 3 follows user 1, skipping 2 chirps through position 4", "timeline entry 5 of", "timeline entry 6 of"}},
	{name: "a split that is lost", sql: "UPDATE follows SET older = 0, skipped = 0",
		want: []string{"timeline entry 5 of @bob (user 3): want there, got missing", "timeline entry 6 of @bob (user 3): want there, got missing"}},
	{name: "a split that is miscounted", sql: "UPDATE follows SET skipped = 3",
		want: []string{"follower since 10", "skipping 2 chirps through position 6, got user 3 follows user 1, skipping 3 chirps through position 6"}},
	{name: "a split of new follows", sql: "UPDATE profiles SET skipped = 3 WHERE key = 1",
		want: []string{"split of new follows of @ann (user 1): want skipping 4 chirps through position 8, got skipping 3"}},
	{name: "the split after that", sql: "UPDATE profiles SET next_skipped = 5 WHERE key = 1",
		want: []string{"split after that of @ann (user 1): want skipping 6 chirps through position 11, got skipping 5"}},
	{name: "an entry of a chirp that is skipped", sql: "INSERT INTO timeline VALUES (0, 3, 6)",
		want: []string{"timeline entry 6 of @bob (user 3): want none, got one"}},
}

func TestDamageToSplitsIsReported(t *testing.T) {
	for _, d := range splitDamages {
		t.Run("embedded/"+d.name, func(t *testing.T) {
			t.Parallel()
			s, p := kinds[0].open(t)
			newWriter(s.Log()).split(t)
			project(t, s.Log(), s.Views())
			execute(t, p, "views-1.db", d.sql)
			wantLines(t, p.reopen(t), d.want)
		})
	}
}
