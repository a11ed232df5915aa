package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/audit"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
)

var (
	ann   = domain.UserIDFrom([16]byte{6: 0x70, 8: 0x80, 15: 1})
	bob   = domain.UserIDFrom([16]byte{6: 0x70, 8: 0x80, 15: 2})
	cid   = domain.UserIDFrom([16]byte{6: 0x70, 8: 0x80, 15: 3})
	hello = domain.ChirpIDFrom([16]byte{6: 0x70, 8: 0x80, 15: 4})
	there = domain.ChirpIDFrom([16]byte{6: 0x70, 8: 0x80, 15: 5})
	eve   = domain.Identity{Issuer: "https://issuer.example", Subject: "eve"}
)

type facts = []domain.Event

// log is a log that a test writes.
type log struct {
	t        testing.TB
	events   []eventstore.Event
	versions eventstore.Versions
}

// append appends the events of one command.
func (l *log) append(actor string, facts ...domain.Event) {
	l.t.Helper()
	a := eventstore.Append{
		Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: actor, ID: fmt.Sprint("command-", len(l.events))}, Fingerprint: "f"},
		Expected:   eventstore.Versions{},
		RecordedAt: time.Unix(int64(len(l.events)), 0),
	}
	for _, fact := range facts {
		e, err := eventstore.Encode(fact)
		if err != nil {
			l.t.Fatal(err)
		}
		a.Events, a.Expected[e.Stream] = append(a.Events, e), l.versions[e.Stream]
	}
	written := a.At(domain.Position(len(l.events)))
	for _, e := range written {
		l.versions[e.Stream] = e.Version
	}
	l.events = append(l.events, written...)
}

// small returns a log of 9 events: ann, bob and the identity eve, as cid, register,
// ann follows bob, and bob posts.
func small(t testing.TB) *log {
	t.Helper()
	l := &log{t: t, versions: eventstore.Versions{}}
	l.append("ann", domain.UserRegistered{UserID: ann, Username: "Ann"}, domain.UsernameReserved{UserID: ann, Username: "Ann"})
	l.append("bob", domain.UserRegistered{UserID: bob, Username: "bob"}, domain.UsernameReserved{UserID: bob, Username: "bob"})
	l.append(string(domain.IdentityStream(eve)), domain.UserRegistered{UserID: cid, Username: "cid"}, domain.UsernameReserved{UserID: cid, Username: "cid"},
		domain.IdentityReserved{UserID: cid, Issuer: eve.Issuer, Subject: eve.Subject})
	l.append(string(ann), domain.UserFollowed{FollowerID: ann, FolloweeID: bob})
	l.append(string(bob), domain.ChirpPosted{ChirpID: hello, AuthorID: bob, Content: "hello\n☃"})
	return l
}

// refusals audits a log.
func refusals(events []eventstore.Event) (refused []*audit.Refusal) {
	a := audit.New()
	for _, e := range events {
		if _, refusal := a.Next(e); refusal != nil {
			refused = append(refused, refusal)
		}
	}
	return refused
}

// forged appends something to the small log, or changes it. The refusal must be of
// the position, or of the last event if that is 0.
var forged = []struct {
	name   string
	change func(l *log)
	at     domain.Position
	want   string
}{
	{"a user posts as another", func(l *log) {
		l.append(string(ann), domain.ChirpPosted{ChirpID: there, AuthorID: bob, Content: "x"})
	}, 0, "its actor is \"" + string(ann) + "\", and only " + string(bob)},
	{"a user follows as another", func(l *log) { l.append(string(ann), domain.UserFollowed{FollowerID: bob, FolloweeID: ann}) }, 0, "its actor"},
	{"a user unfollows as another", func(l *log) { l.append(string(bob), domain.UserUnfollowed{FollowerID: ann, FolloweeID: bob}) }, 0, "its actor"},
	{"a registration by an actor of another name", func(l *log) { l.register("dan", 7, "dave") }, 10, "its actor is \"dave\", and only dan"},
	{"a registration by the name's spelling", func(l *log) { l.register("Dan", 7, "Dan") }, 10, "only dan can cause it"},
	{"a registration with an identity by the name", func(l *log) { l.events[4].Actor, l.events[5].Actor, l.events[6].Actor = "cid", "cid", "cid" }, 5, "only identity:"},
	{"a follow of oneself", func(l *log) { l.append(string(ann), domain.UserFollowed{FollowerID: ann, FolloweeID: ann}) }, 0, "you cannot follow yourself"},
	{"a second follow", func(l *log) { l.append(string(ann), domain.UserFollowed{FollowerID: ann, FolloweeID: bob}) }, 0, "you already follow"},
	{"an unfollow without a follow", func(l *log) { l.append(string(bob), domain.UserUnfollowed{FollowerID: bob, FolloweeID: ann}) }, 0, "you do not follow"},
	{"a second unfollow", func(l *log) {
		l.append(string(ann), domain.UserUnfollowed{FollowerID: ann, FolloweeID: bob})
		l.append(string(ann), domain.UserUnfollowed{FollowerID: ann, FolloweeID: bob})
	}, 0, "you do not follow"},
	{"a follow of a user who registers later", func(l *log) {
		l.append(string(ann), domain.UserFollowed{FollowerID: ann, FolloweeID: userID(7)})
		l.register("dan", 7, "dan")
	}, 10, "user " + string(userID(7)) + " is not registered at this point"},
	{"a follow by no user", func(l *log) {
		l.append(string(userID(7)), domain.UserFollowed{FollowerID: userID(7), FolloweeID: bob})
	}, 0, "is not registered"},
	{"a chirp by no user", func(l *log) {
		l.append(string(userID(7)), domain.ChirpPosted{ChirpID: there, AuthorID: userID(7), Content: "x"})
	}, 0, "is not registered"},
	{"a chirp twice", func(l *log) { l.append(string(bob), domain.ChirpPosted{ChirpID: hello, AuthorID: bob, Content: "x"}) }, 0, "was already posted"},
	{"a chirp twice, as if it were not there", func(l *log) {
		l.versions[domain.ChirpStream(hello)] = 0
		l.append(string(bob), domain.ChirpPosted{ChirpID: hello, AuthorID: bob, Content: "x"})
	}, 0, "was already posted"},
	{"a long chirp", func(l *log) { l.post(strings.Repeat("x", 100_000)) }, 0, "content has 100000 code points; at most 280 are allowed"},
	{"a chirp with one character too many", func(l *log) { l.post(strings.Repeat("☃", 281)) }, 0, "content has 281 code points"},
	{"an empty chirp", func(l *log) { l.post("") }, 0, "content is empty"},
	{"a chirp of white space", func(l *log) { l.post(" \n ") }, 0, "white space"},
	{"a chirp that is not trimmed", func(l *log) { l.post("x ") }, 0, "white space"},
	{"a chirp with NUL", func(l *log) { l.post("a\x00b") }, 0, "control character U+0000"},
	{"a chirp with CR", func(l *log) { l.post("a\r\nb") }, 0, "control character U+000D"},
	{"a chirp in another form", func(l *log) { l.post("e\u0301") }, 0, "normalization form C"},
	{"a chirp id of another kind", func(l *log) {
		l.append(string(bob), domain.ChirpPosted{ChirpID: domain.ChirpID(ann), AuthorID: bob, Content: "x"})
	}, 0, "is not a chirp id"},
	{"a user id that is none", func(l *log) { l.append("dan", reg("dave", "dan")...) }, 10, `"dave" is not a user id`},
	{"an impossible name", func(l *log) { l.append("a b", reg(userID(7), "a b")...) }, 10, `username "a b" must be 1 to 15`},
	{"a long name", func(l *log) { l.register(strings.Repeat("x", 16), 7, strings.Repeat("x", 16)) }, 10, "must be 1 to 15"},
	{"an empty name", func(l *log) { l.append("x", reg(userID(7), "")...) }, 10, "must be 1 to 15"},
	{"a name in another case", func(l *log) { l.register("ANN", 7, "ann") }, 10, `username "ANN" is taken`},
	{"a name again, as if it were free", func(l *log) {
		l.versions[domain.UsernameStream("ann")] = 0
		l.register("ann", 7, "ann")
	}, 10, `username "ann" is taken`},
	{"a user twice", func(l *log) { l.append("dan", reg(ann, "dan")...) }, 10, "user " + string(ann) + " is registered already"},
	{"an identity twice", func(l *log) {
		l.append(string(domain.IdentityStream(eve)), append(reg(userID(7), "dan"), domain.IdentityReserved{UserID: userID(7), Issuer: eve.Issuer, Subject: eve.Subject})...)
	}, 10, "already has an account, " + string(cid)},
	{"an identity for another user", func(l *log) {
		who := domain.Identity{Issuer: eve.Issuer, Subject: "dan"}
		l.append(string(domain.IdentityStream(who)), append(reg(userID(7), "dan"), domain.IdentityReserved{UserID: ann, Issuer: who.Issuer, Subject: who.Subject})...)
	}, 12, "not what the command of its append causes"},
	{"an impossible identity", func(l *log) {
		who := domain.Identity{Issuer: eve.Issuer, Subject: "a\x00"}
		l.append(string(domain.IdentityStream(who)), append(reg(userID(7), "dan"), domain.IdentityReserved{UserID: userID(7), Issuer: who.Issuer, Subject: who.Subject})...)
	}, 12, "control character"},
	{"a registration without a reservation", func(l *log) { l.append("dan", reg(userID(7), "dan")[:1]...) }, 0, "lacks the event username.reserved.v1"},
	{"a reservation of another name", func(l *log) { l.append("dan", reg(userID(7), "dan")[0], reg(userID(7), "dave")[1]) }, 0, "not what the command of its append causes"},
	{"a reservation alone", func(l *log) { l.append("dan", reg(ann, "dan")[1]) }, 0, "no registration precedes it"},
	{"an identity alone", func(l *log) {
		l.append("x", domain.IdentityReserved{UserID: ann, Issuer: eve.Issuer, Subject: "ann"})
	}, 0, "no registration precedes it"},
	{"a chirp beside a registration", func(l *log) {
		l.append("dan", append(reg(userID(7), "dan"), domain.ChirpPosted{ChirpID: there, AuthorID: userID(7), Content: "x"})...)
	}, 12, "not what the command of its append causes"},
	{"two chirps in one append", func(l *log) {
		l.append(string(bob), domain.ChirpPosted{ChirpID: there, AuthorID: bob, Content: "x"}, domain.ChirpPosted{ChirpID: domain.ChirpIDFrom([16]byte{15: 9}), AuthorID: bob, Content: "y"})
	}, 11, "not what the command of its append causes"},
	{"a huge append", func(l *log) { l.post("x"); l.events[9].Command.Events = 1 << 40 }, 0, "a command appends 1 to 3"},
	{"an append inside another one", func(l *log) { l.events[1].Command = &eventstore.CommandMark{Fingerprint: "f", Events: 1} }, 2, "inside another one"},
	{"an event of no append", func(l *log) { l.events[8].Command = nil }, 9, "none has begun"},
	{"an append of two commands", func(l *log) { l.events[1].CommandID = "other" }, 2, "of another command"},
	{"a command id twice", func(l *log) { l.post("x"); l.post("y"); l.events[10].CommandID = l.events[9].CommandID }, 11, "has used the command id"},
	{"an impossible command id", func(l *log) { l.events[8].CommandID = strings.Repeat("x", 65) }, 9, "must be 1 to 64 printable"},
	{"a long correlation id", func(l *log) { l.events[8].CorrelationID = strings.Repeat("x", 129) }, 9, "its correlation id must be"},
	{"an unprintable trace id", func(l *log) { l.events[8].TraceID = "\x1b[2J" }, 9, "its trace id must be"},
	{"a long fingerprint", func(l *log) { l.events[8].Command.Fingerprint = strings.Repeat("x", 129) }, 9, "its fingerprint must be"},
	{"another stream", func(l *log) { l.events[8].Stream = "chirp:x" }, 9, `it is in stream "chirp:x", and belongs in chirp:chirp_`},
	{"a version that skips one", func(l *log) { l.events[8].Version = 2 }, 9, "it is version 2 of stream chirp:"},
	{"an unknown type", func(l *log) { l.events[8].Type = "chirp.posted.v9" }, 9, `unknown event type "chirp.posted.v9"`},
	{"data of another type", func(l *log) { l.events[8].Data = l.events[0].Data }, 9, "an id is missing"},
	{"large data", func(l *log) {
		l.events[8].Data = []byte(strings.Replace(string(l.events[8].Data), "{", `{"more":"`+strings.Repeat("x", 9000)+`",`, 1))
	}, 9, "its data has 9"},
}

func userID(n byte) domain.UserID { return domain.UserIDFrom([16]byte{6: 0x70, 8: 0x80, 15: n}) }

func reg(id domain.UserID, name domain.Username) facts {
	return facts{domain.UserRegistered{UserID: id, Username: name}, domain.UsernameReserved{UserID: id, Username: name}}
}

func (l *log) register(name string, n byte, actor string) {
	l.append(actor, reg(userID(n), domain.Username(name))...)
}

func (l *log) post(content string) {
	l.append(string(bob), domain.ChirpPosted{ChirpID: domain.ChirpIDFrom([16]byte{14: 1, 15: byte(len(l.events))}), AuthorID: bob, Content: domain.Content(content)})
}

func TestNextRefusesWhatNoCommandAppends(t *testing.T) {
	for _, c := range forged {
		t.Run(c.name, func(t *testing.T) {
			l := small(t)
			c.change(l)
			if c.at == 0 {
				c.at = domain.Position(len(l.events))
			}
			refused := refusals(l.events)
			if len(refused) == 0 {
				t.Fatalf("got no refusal, want one of event %d", c.at)
			}
			if r := refused[0]; r.Position != c.at || !strings.Contains(r.Reason, c.want) || r.Type != l.events[c.at-1].Type {
				t.Errorf("got %v, want a refusal of event %d with %q", r, c.at, c.want)
			}
		})
	}
}

// TestNextAcceptsWhatOlderVersionsAppended has contents that ParseContent refuses
// today, or writes differently.
func TestNextAcceptsWhatOlderVersionsAppended(t *testing.T) {
	l := small(t)
	for _, content := range []string{"\u200b", "a" + strings.Repeat("\u0327", 30) + "\u034f" + strings.Repeat("\u0327", 5), strings.Repeat("ㅠ", 31)} {
		l.post(content)
	}
	if refused := refusals(l.events); len(refused) > 0 {
		t.Errorf("got %v, want no refusal", refused)
	}
}

// TestNextAcceptsWhatCommandsAppend audits a log that a handler has written.
func TestNextAcceptsWhatCommandsAppend(t *testing.T) {
	store := eventstoretest.NewMemory()
	h := &command.Handler{
		Events: store, Now: time.Now, NewID: func() [16]byte { return uuid.Must(uuid.NewV7()) },
		SaveCredential: func(context.Context, domain.UserID, string) error { return nil },
	}
	var users []command.User
	for _, r := range []command.RegisterUser{{Username: "Ann", Password: "correct horse"}, {Username: "bob", Identity: eve}, {Username: "ann", Password: "correct horse"}} {
		registered, err := h.RegisterUser(t.Context(), r)
		if err == nil {
			users = append(users, registered.User)
		}
	}
	if len(users) != 2 {
		t.Fatalf("got %d users, want 2", len(users))
	}
	follow := command.FollowUser{Follower: users[0].ID, Followee: string(users[1].ID)}
	for range 2 {
		_, followed := h.FollowUser(t.Context(), follow)
		_, again := h.FollowUser(t.Context(), follow)
		_, unfollowed := h.UnfollowUser(t.Context(), command.UnfollowUser(follow))
		_, posted := h.PostChirp(t.Context(), command.PostChirp{Author: users[1].ID, Content: " e\u0301\r\n☃ "})
		if err := errors.Join(followed, unfollowed, posted); err != nil || domain.KindOf(again) != domain.AlreadyFollowing {
			t.Fatalf("got errors %v and %v", err, again)
		}
	}
	events, err := store.ReadAll(t.Context(), 0, 100)
	if err != nil || len(events) != 11 {
		t.Fatalf("ReadAll: got %d events, error %v; want 11", len(events), err)
	}
	if refused := refusals(events); len(refused) > 0 {
		t.Errorf("got %v, want no refusal", refused)
	}
}

func TestPasswordsCountsUsersWithoutAnIdentity(t *testing.T) {
	a := audit.New()
	for _, e := range small(t).events {
		if _, refusal := a.Next(e); refusal != nil {
			t.Fatal(refusal)
		}
	}
	if got := a.Passwords(); got != 2 {
		t.Errorf("Passwords: got %d, want 2", got)
	}
	if !a.Complete() {
		t.Error("Complete: got false after a whole log")
	}
}

// TestNextContinuesAfterARefusal refuses an event once, and not what follows it.
func TestNextContinuesAfterARefusal(t *testing.T) {
	l := small(t)
	l.register("ANN", 7, "ann") // refused
	l.append(string(userID(7)), domain.UserFollowed{FollowerID: userID(7), FolloweeID: bob})
	l.post("")
	l.append("dave", reg("dave", "dave")...)
	l.post("fine")
	var at []domain.Position
	for _, r := range refusals(l.events) {
		at = append(at, r.Position)
	}
	if want := []domain.Position{10, 13, 14}; !slices.Equal(at, want) {
		t.Errorf("got refusals at %v, want %v", at, want)
	}
}
