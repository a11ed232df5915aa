package verify_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/verify"
)

// damage is a change to the stored views of the small history that the store did not
// make.
type damage struct {
	name    string
	sql     string
	mongodb change
	want    []string // a part of each line of the report
}

// change changes one document of a collection. It inserts insert, or updates the
// document that matches, or deletes it if there is no update.
type change struct {
	collection            string
	insert, match, update bson.D
}

func set(field string, value any) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}}
}

func at(field string, value any) bson.D { return bson.D{{Key: field, Value: value}} }

func ofPair(follower, followee int64) bson.D {
	return bson.D{{Key: "r", Value: follower}, {Key: "e", Value: followee}}
}

var damages = []damage{
	{"a count", `UPDATE profiles SET followers = 7 WHERE key = 1`,
		change{collection: "profiles_1", match: at("_id", 1), update: set("followers", int64(7))},
		[]string{"followers count of @ann (user 1): want 2, got 7"}},
	{"another count", `UPDATE profiles SET pushed = 3 WHERE key = 1`,
		change{collection: "profiles_1", match: at("_id", 1), update: set("pushed", int64(3))},
		[]string{"pushed chirps count of @ann (user 1): want 2, got 3"}},
	{"the celebrity flag", `UPDATE profiles SET celebrity = 1 WHERE key = 1`,
		change{collection: "profiles_1", match: at("_id", 1), update: set("celebrity", true)},
		[]string{"celebrity flag of @ann (user 1): want false, got true"}},
	{"the pull source flag", `UPDATE profiles SET pull_source = 0 WHERE key = 1`,
		change{collection: "profiles_1", match: at("_id", 1), update: set("pull", false)},
		[]string{"pull source flag of @ann (user 1): want true, got false"}},
	{"a name", `UPDATE profiles SET username = 'Annie' WHERE key = 1`,
		change{collection: "profiles_1", match: at("_id", 1), update: set("username", "Annie")},
		[]string{`username of @ann (user 1): want ann, got "Annie"`}},
	{"the name that a user is found by", `UPDATE profiles SET folded = 'x' WHERE key = 1`,
		change{collection: "profiles_1", match: at("_id", 1), update: set("folded", "x")},
		[]string{"profile by name of @ann (user 1): want user 1, got none"}},
	{"a profile missing", `DELETE FROM profiles WHERE key = 7`,
		change{collection: "profiles_1", match: at("_id", 7)},
		[]string{"profile of @dan (user 7): want user_", "profile by name of @dan (user 7): want user 7, got none"}},
	{"a surplus profile", `INSERT INTO profiles VALUES (2, 'user_x', 'X', 'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`,
		change{collection: "profiles_1", insert: bson.D{{Key: "_id", Value: int64(2)}, {Key: "id", Value: "user_x"}, {Key: "username", Value: "X"}}},
		[]string{`profile of user 2: want none, got user_x "X"`}},
	{"a timeline entry missing", `DELETE FROM timeline WHERE owner = 5 AND position = 16`,
		change{collection: "timelines_1", match: bson.D{{Key: "p", Value: 16}, {Key: "o", Value: 5}}},
		[]string{"timeline entry 16 of @cid (user 5): want there, got missing"}},
	{"a surplus timeline entry", `INSERT INTO timeline VALUES ((SELECT max(start) FROM volumes WHERE start <= 16), 7, 16)`,
		change{collection: "timelines_1", insert: bson.D{{Key: "p", Value: int64(16)}, {Key: "o", Value: bson.A{int64(7)}}}},
		[]string{"timeline entry 16 of @dan (user 7): want none, got one"}},
	{"a timeline entry twice", "", // SQLite's primary key does not allow it
		change{collection: "timelines_1", insert: bson.D{{Key: "p", Value: int64(16)}, {Key: "o", Value: bson.A{int64(5)}}}},
		[]string{"timeline entry 16 of @cid (user 5): want once and in order, got again, or out of order"}},
	{"a chirp missing", `DELETE FROM chirps WHERE position = 14`,
		change{collection: "chirps_1", match: at("_id", 14)},
		[]string{"chirp 14 of @bob (user 3): want there, got missing", "timeline entry 14 of @cid (user 5): want there, got missing"}},
	{"a surplus chirp", `INSERT INTO chirps VALUES (17, 'chirp_x', 7, 'x', 0, 0)`,
		change{collection: "chirps_1", insert: bson.D{{Key: "_id", Value: int64(17)}, {Key: "id", Value: "chirp_x"}, {Key: "a", Value: int64(7)}, {Key: "d", Value: int64(0)}, {Key: "text", Value: "x"}}},
		[]string{"chirp 17 of @dan (user 7): want none, got chirp_x by user 7, pushed"}},
	{"a text", `UPDATE chirps SET content = 'thre' WHERE position = 14`,
		change{collection: "chirps_1", match: at("_id", 14), update: set("text", "thre")},
		[]string{`"three", got chirp_`}},
	{"a time", `UPDATE chirps SET posted_at = 1 WHERE position = 14`,
		change{collection: "chirps_1", match: at("_id", 14), update: set("posted", bson.DateTime(1))},
		[]string{`posted 1970-01-01T00:00:00.001Z, "three"`}},
	{"a delivery", `UPDATE chirps SET delivery = 0 WHERE position = 13`,
		change{collection: "chirps_1", match: at("_id", 13), update: set("d", int64(0))},
		[]string{"by user 1, pushed, posted"}},
	{"a follow missing", `DELETE FROM follows WHERE follower = 5 AND followee = 3`,
		change{collection: "follows_1", match: ofPair(5, 3)},
		[]string{"follower since 15 of @bob (user 3): want there, got missing", "followed user since 15 of @cid (user 5): want there, got missing"}},
	{"a surplus follow", `INSERT INTO follows VALUES (7, 3, 16, 0, 0, 0)`,
		change{collection: "follows_1", insert: append(bson.D{{Key: "_id", Value: ofPair(7, 3)}, {Key: "s", Value: int64(16)}}, ofPair(7, 3)...)},
		[]string{"follower since 16 of @bob (user 3): want none, got user 7 follows user 3", "followed user since 16 of @dan (user 7): want none, got user 7 follows user 3"}},
	{"the pull flag of a follow", `UPDATE follows SET pull = 0 WHERE follower = 3`,
		change{collection: "follows_1", match: ofPair(3, 1), update: bson.D{{Key: "$unset", Value: at("pull", "")}}},
		[]string{"follower since 10 of @ann (user 1): want user 3 follows user 1, a pull source, got user 3 follows user 1", "followed user since 10 of @bob (user 3): want",
			"source of pulled chirps by user 1 of @bob (user 3): want there, got missing"}},
	{"the checkpoint", `UPDATE generation SET position = 17, event = 0`,
		change{collection: "views", match: at("_id", 1), update: set("position", int64(17))},
		[]string{"chirps count of @ann (user 1): want 2, got 3", "pushed chirps count of @ann",
			"split after that of @ann (user 1): want skipping 1 chirps through position 9, got skipping 2 chirps through position 18", "chirp 18 of @ann (user 1): want none, got chirp_",
			"timeline entry 18 of @bob (user 3): want none, got one", "timeline entry 18 of @cid (user 5): want none, got one"}},
	{"a chirp of no user", `INSERT INTO chirps VALUES (17, 'chirp_x', 2, 'x', 0, 0)`,
		change{collection: "chirps_1", insert: bson.D{{Key: "_id", Value: int64(17)}, {Key: "id", Value: "chirp_x"}, {Key: "a", Value: int64(2)}, {Key: "d", Value: int64(0)}, {Key: "text", Value: "x"}}},
		[]string{"number of all chirps: want 5, got 6"}},
	{"a follow between no users", `INSERT INTO follows VALUES (2, 4, 17, 0, 0, 0)`,
		change{collection: "follows_1", insert: append(bson.D{{Key: "_id", Value: ofPair(2, 4)}, {Key: "s", Value: int64(17)}}, ofPair(2, 4)...)},
		[]string{"number of all follows: want 3, got 4"}},
	{"a timeline of no user", `INSERT INTO timeline VALUES (0, 2, 16)`,
		change{collection: "timelines_1", insert: bson.D{{Key: "p", Value: int64(16)}, {Key: "o", Value: bson.A{int64(2), int64(4)}}}},
		[]string{"number of all timeline entries: want 6, got "}},
	{"a volume of timelines", `UPDATE timeline SET volume = 9`, change{},
		[]string{"timeline entry 9 of @bob", "timeline entry 18 of @bob", "timeline entry 9 of @cid", "timeline entry 14 of @cid", "timeline entry 16 of @cid", "timeline entry 18 of @cid"}},
}

func TestDamageIsReported(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		for _, d := range damages {
			if d.sql == "" {
				continue
			}
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				s, p := kinds[0].open(t)
				newWriter(s.Log()).small(t)
				project(t, s.Log(), s.Views())
				execute(t, p, "views-1.db", d.sql)
				wantLines(t, p.reopen(t), d.want)
			})
		}
	})
	t.Run("mongodb", func(t *testing.T) {
		t.Parallel()
		s, p := kinds[1].open(t)
		newWriter(s.Log()).small(t)
		project(t, s.Log(), s.Views())
		db := database(t, p)
		for _, d := range damages {
			if d.mongodb.collection == "" {
				continue
			}
			t.Run(d.name, func(t *testing.T) {
				d.mongodb.do(t, db)
				wantLines(t, p.reopen(t), d.want)
			})
		}
	})
}

// wantLines verifies the store and checks that each line of the report contains the
// text wanted.
func wantLines(t *testing.T, s store, want []string) {
	t.Helper()
	_, lines := found(t, verify.Config{Log: s.Log(), Views: s.Views()})
	same := len(lines) == len(want)
	for i := range want {
		same = same && strings.Contains(lines[i], want[i])
	}
	if !same {
		t.Errorf("got the differences\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// repeatingViews returns each source twice.
type repeatingViews struct{ readmodel.Store }

type repeatingSnapshot struct{ readmodel.Snapshot }

func (v repeatingViews) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	s, err := v.Store.Snapshot(ctx)
	return repeatingSnapshot{s}, err
}

func (s repeatingSnapshot) Sources(ctx context.Context, owner readmodel.UserKey, after domain.Position) ([]readmodel.Source, error) {
	sources, err := s.Snapshot.Sources(ctx, owner, after)
	return append(sources, sources...), err
}

func TestARepeatedSourceIsReported(t *testing.T) {
	s, _ := kinds[0].open(t)
	newWriter(s.Log()).small(t)
	project(t, s.Log(), s.Views())
	const want = "source of pulled chirps by user 1 of @bob (user 3): want none, got one"
	if _, lines := found(t, verify.Config{Log: s.Log(), Views: repeatingViews{s.Views()}}); !slices.Contains(lines, want) {
		t.Errorf("got the differences\n%s\nwant among them\n%s", strings.Join(lines, "\n"), want)
	}
}

// execute runs a statement on one of a folder's files.
func execute(t testing.TB, p place, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.Exec(statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s: changed %d rows, error %v", statement, n, err)
	}
}

func database(t testing.TB, p place) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(p.uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) })
	return client.Database(p.database)
}

// do makes the change, and restores the collection when the test ends.
func (c change) do(t testing.TB, db *mongo.Database) {
	t.Helper()
	rows := db.Collection(c.collection)
	cursor, err := rows.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var before []bson.Raw
	if err := cursor.All(t.Context(), &before); err != nil {
		t.Fatal(err)
	}
	var n int64
	switch {
	case c.insert != nil:
		n = 1
		_, err = rows.InsertOne(t.Context(), c.insert)
	case c.update != nil:
		var result *mongo.UpdateResult
		if result, err = rows.UpdateOne(t.Context(), c.match, c.update); err == nil {
			n = result.ModifiedCount
		}
	default:
		var result *mongo.DeleteResult
		if result, err = rows.DeleteOne(t.Context(), c.match); err == nil {
			n = result.DeletedCount
		}
	}
	if err != nil || n != 1 {
		t.Fatalf("change %s: changed %d documents, error %v", c.collection, n, err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := rows.DeleteMany(ctx, bson.D{}); err != nil {
			t.Fatal(err)
		}
		if _, err := rows.InsertMany(ctx, before); err != nil {
			t.Fatal(err)
		}
	})
}

func TestGapInTheStoredLogIsReported(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s, p := k.open(t)
			newWriter(s.Log()).small(t)
			project(t, s.Log(), s.Views())
			if p.dir != "" {
				execute(t, p, "log.db", "DELETE FROM events WHERE position = 14")
			} else {
				change{collection: "events", match: at("_id", 14)}.do(t, database(t, p))
			}
			s = p.reopen(t)
			sum, lines := found(t, verify.Config{Log: s.Log(), Views: s.Views()})
			if sum.Unsound != 1 || sum.Differences <= sum.Unsound {
				t.Errorf("got %d differences, %d of the log; want 1 of the log, and those that follow from it", sum.Differences, sum.Unsound)
			}
			all := strings.Join(lines, "\n")
			for _, want := range []string{"event 14 of the log: want no gap, got the ", "chirp 14 of @bob (user 3): want none, got chirp_"} {
				if !strings.Contains(all, want) {
					t.Errorf("got the differences\n%s\nwant %q among them", all, want)
				}
			}
		})
	}
}
