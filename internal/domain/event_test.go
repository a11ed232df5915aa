package domain_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chirp/internal/domain"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	ann = domain.UserID("user_01h455vb4pex5vsknk084sn02q")
	bob = domain.UserID("user_01h455vb4pex5vsknk084sn02r")
)

// facts are one event of each wire name, with its stream and its users. The
// content has everything that JSON writers disagree on.
var facts = []struct {
	event  domain.Event
	stream domain.StreamID
	users  []domain.UserID
}{
	{domain.UserRegistered{UserID: ann, Username: "Ann_1"}, "user:" + domain.StreamID(ann), []domain.UserID{ann}},
	{domain.UsernameReserved{UserID: ann, Username: "Ann_1"}, "username:ann_1", nil},
	{domain.IdentityReserved{UserID: ann, Issuer: "https://login.example.com/tenant", Subject: "248289761001 | {\"$gt\": \"é\"}"},
		"identity:44c34c83c88ebc49614732f62fbb480efc9ba4d7b93c6320aea26df9cacf7fd0", nil},
	{posted, "chirp:chirp_01h455vb4pex5vsknk084sn02q", []domain.UserID{ann}},
	{domain.UserFollowed{FollowerID: ann, FolloweeID: bob}, "follow:" + domain.StreamID(ann+":"+bob), []domain.UserID{ann, bob}},
	{domain.UserUnfollowed{FollowerID: ann, FolloweeID: bob}, "follow:" + domain.StreamID(ann+":"+bob), []domain.UserID{ann, bob}},
}

var posted = domain.ChirpPosted{
	ChirpID: "chirp_01h455vb4pex5vsknk084sn02q", AuthorID: ann,
	Content: "\"<b>\" & \\ / é\n\U0001F469\u200d\U0001F680 \u2028 end",
}

// golden returns the events of facts.
func golden() []domain.Event {
	events := make([]domain.Event, len(facts))
	for i, f := range facts {
		events[i] = f.event
	}
	return events
}

func TestEventsKeepTheirWireForm(t *testing.T) {
	for _, event := range golden() {
		name, data, err := domain.EncodeEvent(event)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; run go test -update for a new wire name", err)
			}
			if got := string(data) + "\n"; got != string(want) {
				t.Errorf("EncodeEvent: got %s, want %s: the log has the latter for ever; a new form needs a new wire name", got, want)
			}
			got, err := domain.DecodeEvent(name, want)
			if err != nil || !reflect.DeepEqual(got, event) {
				t.Errorf("DecodeEvent: got %#v, error %v; want %#v", got, err, event)
			}
		})
	}
}

func TestEveryGoldenFileIsAnEvent(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(facts) {
		t.Errorf("got %d golden files, error %v; want %d, one for each wire name", len(files), err, len(facts))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if e, err := domain.DecodeEvent(name, data); err != nil || e.WireName() != name {
			t.Errorf("DecodeEvent %s: got %#v, error %v", name, e, err)
		}
	}
}

// TestEveryEventIsGolden finds the package's event types by their WireName
// methods, so that one without an example, or without a decoder, is noticed.
func TestEveryEventIsGolden(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared, got []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, method := range regexp.MustCompile(`(?m)^func \((?:\w+ )?(\w+)\) WireName\(`).FindAllSubmatch(text, -1) {
			declared = append(declared, string(method[1]))
		}
	}
	for _, event := range golden() {
		got = append(got, reflect.TypeOf(event).Name())
	}
	slices.Sort(declared)
	slices.Sort(got)
	if !slices.Equal(got, declared) {
		t.Errorf("got the golden events %v, want all that are declared: %v", got, declared)
	}
}

func TestEventsKnowTheirStreamAndTheirUsers(t *testing.T) {
	for _, f := range facts {
		if got := f.event.Stream(); got != f.stream {
			t.Errorf("%T: got stream %s, want %s", f.event, got, f.stream)
		}
		if got := f.event.Users(); !slices.Equal(got, f.users) {
			t.Errorf("%T: got users %v, want %v", f.event, got, f.users)
		}
	}
}

func TestEachEventIsOfOneAggregate(t *testing.T) {
	for _, event := range golden() {
		_, user := event.(domain.UserEvent)
		_, identity := event.(domain.IdentityEvent)
		_, chirp := event.(domain.ChirpEvent)
		_, follow := event.(domain.FollowEvent)
		of := 0
		for _, is := range []bool{user, identity, chirp, follow} {
			if is {
				of++
			}
		}
		if of != 1 {
			t.Errorf("%T is an event of %d aggregates, want one", event, of)
		}
	}
}

func TestDecodeEventRefuses(t *testing.T) {
	for _, c := range []struct{ name, wire, data string }{
		{"what is not JSON", "user.followed.v1", `{"followerId":`},
		{"no data", "user.followed.v1", ``},
		{"null", "user.followed.v1", `null`},
		{"an array", "user.followed.v1", `[]`},
		{"an id of another type", "user.followed.v1", `{"followerId": 1, "followeeId": "x"}`},
		{"a user without an id", "user.registered.v1", `{"username": "ann"}`},
		{"a reservation for no user", "username.reserved.v1", `{"username": "ann"}`},
		{"an identity for no user", "identity.reserved.v1", `{"issuer": "https://i.example", "subject": "1"}`},
		{"an identity without an issuer", "identity.reserved.v1", `{"userId": "x", "subject": "1"}`},
		{"an identity without a subject", "identity.reserved.v1", `{"userId": "x", "issuer": "https://i.example"}`},
		{"a chirp without an author", "chirp.posted.v1", `{"chirpId": "x", "content": "hi"}`},
		{"a chirp without an id", "chirp.posted.v1", `{"authorId": "x", "content": "hi"}`},
		{"a follow of no user", "user.followed.v1", `{"followerId": "x"}`},
		{"an unfollow by no user", "user.unfollowed.v1", `{"followeeId": "x"}`},
		{"a member twice", "chirp.posted.v1", `{"chirpId":"chirp_a","authorId":"user_a","authorId":"user_b","content":"x"}`},
		{"members in another case", "chirp.posted.v1", `{"chirpID":"chirp_a","authorId":"user_a","content":"x"}`},
		{"something after it", "chirp.posted.v1", `{"chirpId":"chirp_a","authorId":"user_a","content":"x"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if e, err := domain.DecodeEvent(c.wire, []byte(c.data)); err == nil {
				t.Errorf("got %#v, want an error", e)
			}
		})
	}
}

func TestDecodeEventNamesAnUnknownType(t *testing.T) {
	for _, name := range []string{"", "user.registered.v2", "User.Registered.v1", "UserRegistered"} {
		e, err := domain.DecodeEvent(name, []byte(`{}`))
		var unknown *domain.UnknownEventError
		if e != nil || !errors.As(err, &unknown) || unknown.WireName != name {
			t.Errorf("DecodeEvent %q: got %#v, error %v; want an UnknownEventError that names it", name, e, err)
		}
	}
}

func TestDecodeEventReadsWhatAStoreMayChange(t *testing.T) {
	got, err := domain.DecodeEvent("chirp.posted.v1", []byte(` { "content" : "<\u00e9>" , "authorId" : "a", "chirpId":"c", "later": [1] } `))
	if want := (domain.ChirpPosted{ChirpID: "c", AuthorID: "a", Content: "<é>"}); err != nil || got != want {
		t.Errorf("got %#v, error %v; want %#v", got, err, want)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, event := range golden() {
		name, data, err := domain.EncodeEvent(event)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		event, err := domain.DecodeEvent(name, data)
		if err != nil {
			return
		}
		gotName, encoded, err := domain.EncodeEvent(event)
		if err != nil || gotName != name {
			t.Fatalf("EncodeEvent: got %q, error %v; want %q", gotName, err, name)
		}
		if again, err := domain.DecodeEvent(name, encoded); err != nil || again != event {
			t.Fatalf("DecodeEvent of %s: got %#v, error %v; want %#v", encoded, again, err, event)
		}
	})
}

func TestChirpsOlderThanARuleAreRead(t *testing.T) {
	for _, content := range []string{"\u200b", "", "a" + strings.Repeat("\u0300\u034f", 279), "\x00", strings.Repeat("x", 281)} {
		name, data, err := domain.EncodeEvent(domain.ChirpPosted{ChirpID: "chirp_01h455vb4pex5vsknk084sn02q", AuthorID: ann, Content: domain.Content(content)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := domain.DecodeEvent(name, data)
		if posted, ok := got.(domain.ChirpPosted); err != nil || !ok || string(posted.Content) != content {
			t.Errorf("%+q: got %+v, error %v; want it as it was posted", content, got, err)
		}
	}
}
