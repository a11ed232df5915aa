package archive_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"chirp/internal/archive"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// fixedLog is a log that does not change.
type fixedLog struct {
	eventstore.Log
	epoch  string
	events []eventstore.Event
}

func (l fixedLog) Head(context.Context) (eventstore.Head, error) {
	return eventstore.Head{Epoch: l.epoch, Position: domain.Position(len(l.events))}, nil
}

func (l fixedLog) ReadAll(_ context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	return l.events[after:min(int(after)+limit, len(l.events))], nil
}

// fixedCredentials are credentials that do not change.
type fixedCredentials struct {
	auth.Credentials
	secret      []byte
	credentials []auth.Credential
}

func (c fixedCredentials) Secret(_ context.Context, proposed []byte) ([]byte, error) {
	if len(proposed) > 0 {
		return nil, errors.New("an export proposes no secret")
	}
	return c.secret, nil
}

func (c fixedCredentials) All(context.Context) iter.Seq2[auth.Credential, error] {
	return func(yield func(auth.Credential, error) bool) {
		for _, credential := range c.credentials {
			if !yield(credential, nil) {
				return
			}
		}
	}
}

// smallLog has every field that an event can have.
func smallLog() fixedLog {
	event := func(stream domain.StreamID, data string) eventstore.NewEvent {
		return eventstore.NewEvent{Stream: stream, Type: "thing.happened.v1", Data: json.RawMessage(data)}
	}
	first := eventstore.Append{
		Events: []eventstore.NewEvent{
			event("a", `{"n":1}`), event("a", `{ "z": "<b>&", "a": "☃\u0041\/\ud83d\ude00\n", "n": [1.50, 1e3, -0.0] }`),
			event("b:☃", `{}`),
		},
		Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "<ann>", ID: "one \"1\""}, Fingerprint: "f1"},
		RecordedAt: time.Date(2024, 5, 17, 1, 2, 3, 4_567_890, time.FixedZone("UTC+2", 7200)), CorrelationID: "c", TraceID: "t",
	}
	second := eventstore.Append{
		Events:     []eventstore.NewEvent{event("a", `{}`)},
		Expected:   eventstore.Versions{"a": 2},
		Command:    eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "bob", ID: "2"}, Fingerprint: "f2"},
		RecordedAt: time.Date(2024, 5, 18, 0, 0, 0, 0, time.UTC),
	}
	return fixedLog{epoch: "an-epoch", events: append(first.At(0), second.At(3)...)}
}

func smallCredentials() fixedCredentials {
	noon := time.Date(2024, 5, 17, 12, 0, 0, 4_000_000, time.UTC)
	session := auth.Session{ID: auth.SessionID{1}, Epoch: 2, Started: noon, Expires: noon.Add(time.Hour), Seen: noon}
	return fixedCredentials{secret: []byte{0, 1, 254, 255}, credentials: []auth.Credential{
		{User: "user_a", Hash: "$argon2id$v=19$a+b/c"}, {User: "user_b", Hash: "h", Access: auth.Access{Epoch: 2, Sessions: []auth.Session{session}}},
		{User: "user_c", Access: auth.Access{Epoch: 1, Disabled: true}},
	}}
}

const (
	smallHeader = `{"chirp":"log","format":1,"epoch":"an-epoch","head":4,"access":false}` + "\n"
	smallEvents = `{"position":1,"stream":"a","version":1,"type":"thing.happened.v1","data":{"n":1},"recordedAt":"2024-05-16T23:02:03.004Z","actor":"<ann>","commandId":"one \"1\"","correlationId":"c","traceId":"t","command":{"fingerprint":"f1","events":3}}
{"position":2,"stream":"a","version":2,"type":"thing.happened.v1","data":{"z":"<b>&","a":"☃A/😀\u000a","n":[1.5,1000,-0]},"recordedAt":"2024-05-16T23:02:03.004Z","actor":"<ann>","commandId":"one \"1\"","correlationId":"c","traceId":"t"}
{"position":3,"stream":"b:☃","version":1,"type":"thing.happened.v1","data":{},"recordedAt":"2024-05-16T23:02:03.004Z","actor":"<ann>","commandId":"one \"1\"","correlationId":"c","traceId":"t"}
{"position":4,"stream":"a","version":3,"type":"thing.happened.v1","data":{},"recordedAt":"2024-05-18T00:00:00.000Z","actor":"bob","commandId":"2","command":{"fingerprint":"f2","events":1}}
`
	smallAccessHeader = `{"chirp":"log","format":1,"epoch":"an-epoch","head":4,"access":true}` + "\n"
	smallAccess       = `{"user":"user_b","access":{"epoch":2}}
{"user":"user_c","access":{"epoch":1,"disabled":true}}
{"users":2}
`
	smallSecretHeader = `{"chirp":"log","format":1,"epoch":"an-epoch","head":4,"credentials":true}` + "\n"
	smallSecrets      = `{"tokenSecret":"AAH+/w=="}
{"user":"user_a","hash":"$argon2id$v=19$a+b/c"}
{"user":"user_b","hash":"h","access":{"epoch":2,"sessions":[{"id":"session_aeaaaaaaaaaaaaaaaaaaaaaaaa","epoch":2,"started":"2024-05-17T12:00:00.004Z","expires":"2024-05-17T13:00:00.004Z"}]}}
{"user":"user_c","access":{"epoch":1,"disabled":true}}
{"credentials":3}
`
)

func written(t testing.TB, s archive.Source) string {
	t.Helper()
	var out strings.Builder
	head, _ := s.Log.Head(t.Context())
	h, err := archive.Write(t.Context(), &out, s)
	if want := (archive.Header{Epoch: head.Epoch, Head: head.Position, Credentials: s.Secrets, Access: h.Access || s.Secrets}); err != nil || h != want {
		t.Fatalf("Write: got %+v, error %v; want %+v", h, err, want)
	}
	return out.String()
}

func TestWriteFollowsTheFormat(t *testing.T) {
	for name, c := range map[string]struct {
		source archive.Source
		want   string
	}{
		"a log":                   {archive.Source{Log: smallLog()}, smallHeader + smallEvents},
		"a log and access":        {archive.Source{Log: smallLog(), Credentials: smallCredentials()}, smallAccessHeader + smallAccess + smallEvents},
		"a log and credentials":   {archive.Source{Log: smallLog(), Credentials: smallCredentials(), Secrets: true}, smallSecretHeader + smallSecrets + smallEvents},
		"users as they were made": {archive.Source{Log: smallLog(), Credentials: fixedCredentials{credentials: smallCredentials().credentials[:1]}}, smallHeader + smallEvents},
		"an empty log":            {archive.Source{Log: fixedLog{epoch: "e"}}, `{"chirp":"log","format":1,"epoch":"e","head":0,"access":false}` + "\n"},
		"no credentials":          {archive.Source{Log: fixedLog{epoch: "e"}, Credentials: fixedCredentials{}, Secrets: true}, `{"chirp":"log","format":1,"epoch":"e","head":0,"credentials":true}` + "\n" + `{"credentials":0}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := gocmp.Diff(c.want, written(t, c.source)); diff != "" {
				t.Errorf("Write (-want +got):\n%s", diff)
			}
		})
	}
}

// readAll reads an archive to its end.
func readAll(file string) (h archive.Header, s archive.Accounts, events []eventstore.Event, err error) {
	r, err := archive.NewReader(strings.NewReader(file))
	if err != nil {
		return h, s, nil, err
	}
	for part, err := range r.Accounts() {
		if err != nil {
			return r.Header, s, nil, err
		}
		s.TokenSecret = append(s.TokenSecret, part.TokenSecret...)
		s.Credentials = append(s.Credentials, part.Credentials...)
	}
	for batch, err := range r.Events() {
		if err != nil {
			return r.Header, s, events, err
		}
		events = append(events, batch...)
	}
	return r.Header, s, events, nil
}

func TestReadReturnsWhatWasWritten(t *testing.T) {
	for name, file := range map[string]string{
		"plain":                  smallSecretHeader + smallSecrets + smallEvents,
		"compressed":             zipped(t, smallSecretHeader+smallSecrets+smallEvents),
		"without a last newline": strings.TrimSuffix(smallSecretHeader+smallSecrets+smallEvents, "\n"),
		"spaced by hand":         strings.ReplaceAll(smallSecretHeader+smallSecrets+smallEvents, `,"`, ` , "`),
	} {
		t.Run(name, func(t *testing.T) {
			h, s, events, err := readAll(file)
			if err != nil {
				t.Fatal(err)
			}
			if want := (archive.Header{Epoch: "an-epoch", Head: 4, Credentials: true, Access: true}); h != want {
				t.Errorf("header: got %+v, want %+v", h, want)
			}
			if c := smallCredentials(); !bytes.Equal(s.TokenSecret, c.secret) || !gocmp.Equal(s.Credentials, c.credentials) {
				t.Errorf("credentials: got %+v, want %+v", s, c)
			}
			again := fixedLog{epoch: h.Epoch, events: events}
			if diff := gocmp.Diff(smallHeader+smallEvents, written(t, archive.Source{Log: again})); diff != "" {
				t.Errorf("written again (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadReturnsAccess reads what archives with and without credentials have about
// users: the same, but for the secrets and the sessions.
func TestReadReturnsAccess(t *testing.T) {
	all := smallCredentials().credentials
	withoutSecrets := []auth.Credential{{User: "user_b", Access: auth.Access{Epoch: 2}}, all[2]}
	for name, c := range map[string]struct {
		file string
		want []auth.Credential
	}{
		"with credentials":                  {smallSecretHeader + smallSecrets + smallEvents, all},
		"without credentials":               {smallAccessHeader + smallAccess + smallEvents, withoutSecrets},
		"with users who were deleted since": {smallAccessHeader + `{"users":0}` + "\n" + smallEvents, nil},
		"without users who were changed":    {smallHeader + smallEvents, nil},
		"of an earlier version":             {strings.Replace(smallHeader, `,"access":false`, "", 1) + smallEvents, nil},
	} {
		h, s, events, err := readAll(c.file)
		if err != nil || len(s.TokenSecret) > 0 != h.Credentials || !gocmp.Equal(s.Credentials, c.want) || len(events) != 4 || h.AccessOmitted != (name == "of an earlier version") {
			t.Errorf("%s: got %+v, %+v and %d events, error %v; want %+v and 4 events", name, h, s, len(events), err, c.want)
		}
	}
}

func zipped(t testing.TB, text string) string {
	t.Helper()
	var out strings.Builder
	zip := gzip.NewWriter(&out)
	_, err := zip.Write([]byte(text))
	if err := errors.Join(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// lostCredentials have been lost.
type lostCredentials struct{ auth.Credentials }

func (lostCredentials) Secret(context.Context, []byte) ([]byte, error) {
	return nil, auth.ErrCredentialsLost
}

func (lostCredentials) All(context.Context) iter.Seq2[auth.Credential, error] {
	return func(yield func(auth.Credential, error) bool) {
		yield(auth.Credential{}, fmt.Errorf("read: %w", auth.ErrCredentialsLost))
	}
}

// TestALogIsWrittenWithoutLostCredentials checks that the archive says what it lacks.
func TestALogIsWrittenWithoutLostCredentials(t *testing.T) {
	var out strings.Builder
	h, err := archive.Write(t.Context(), &out, archive.Source{Log: smallLog(), Credentials: lostCredentials{}})
	if want := strings.Replace(smallHeader, `"access":false`, `"accessLost":true`, 1) + smallEvents; err != nil || !h.AccessLost || out.String() != want {
		t.Errorf("Write: got %+v, error %v and\n%s, want\n%s", h, err, &out, want)
	}
	if h, s, events, err := readAll(out.String()); err != nil || !h.AccessLost || len(s.Credentials) > 0 || len(events) != 4 {
		t.Errorf("read again: got %+v, %+v and %d events, error %v; want the events, and that the rest is lost", h, s, len(events), err)
	}
	if _, err := archive.Write(t.Context(), io.Discard, archive.Source{Log: smallLog(), Credentials: lostCredentials{}, Secrets: true}); !errors.Is(err, auth.ErrCredentialsLost) {
		t.Errorf("Write with the credentials: got error %v, want ErrCredentialsLost", err)
	}
}

func TestReadSkipsCredentials(t *testing.T) {
	r, err := archive.NewReader(strings.NewReader(smallSecretHeader + smallSecrets + smallEvents))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for batch, err := range r.Events() {
		if err != nil {
			t.Fatal(err)
		}
		n += len(batch)
	}
	if n != 4 {
		t.Errorf("Events: got %d, want 4", n)
	}
}

// replaced returns an archive with one line changed. Lines count from 1.
func replaced(whole string, line int, old, text string) string {
	lines := strings.SplitAfter(whole, "\n")
	lines[line-1] = strings.Replace(lines[line-1], old, text, 1)
	return strings.Join(lines, "")
}

func TestReadRefuses(t *testing.T) {
	whole, secret := smallHeader+smallEvents, smallSecretHeader+smallSecrets+smallEvents
	lines := strings.SplitAfter(whole, "\n")
	packed := zipped(t, written(t, archive.Source{Log: chirps(100)}))
	access := smallAccessHeader + smallAccess + smallEvents
	for name, c := range map[string]struct{ file, says string }{
		"an empty file":                {"", "empty"},
		"another file":                 {"PK\x03\x04", "not an export"},
		"another JSON file":            {`{"hello":1}` + "\n", "not an export"},
		"a newer format":               {replaced(whole, 1, `"format":1`, `"format":2`), "format 2"},
		"no format":                    {replaced(whole, 1, `"format":1,`, ``), "format 0"},
		"no epoch":                     {replaced(whole, 1, `an-epoch`, ``), "line 1"},
		"a negative head":              {replaced(whole, 1, `"head":4`, `"head":-1`), "line 1"},
		"the header alone":             {lines[0], "after line 1, with its header, before the first event"},
		"an event short":               {whole[:len(whole)-len(lines[4])], "after line 4"},
		"a line cut off":               {whole[:len(whole)-30], "line 5"},
		"half a character":             {replaced(whole, 3, `"version":2`, `"version":2,"x":"\ud83d"`), "line 3: malformed: the line"},
		"malformed JSON":               {replaced(whole, 3, `"version":2`, `"version":`), "line 3"},
		"a field that is not known":    {replaced(whole, 3, `"version":2`, `"version":2,"more":1`), "line 3"},
		"a field in another case":      {replaced(whole, 3, `"version":2`, `"Version":2`), "line 3"},
		"a field twice":                {replaced(whole, 3, `"version":2`, `"version":1,"version":2`), "line 3"},
		"data with a member twice":     {replaced(whole, 2, `{"n":1}`, `{"n":1,"n":2}`), "line 2"},
		"a header with its head twice": {replaced(whole, 1, `"head":4`, `"head":4,"head":3`), "not an export"},
		"two objects in a line":        {replaced(whole, 3, "\n", "{}\n"), "line 3"},
		"an empty line":                {replaced(whole, 3, "\n", "\n\n"), "line 4"},
		"a gap":                        {strings.Join(slices.Delete(slices.Clone(lines), 2, 3), ""), "line 3"},
		"an event twice":               {strings.Join(slices.Insert(slices.Clone(lines), 2, lines[2]), ""), "line 4"},
		"an event beyond the head":     {replaced(whole, 1, `"head":4`, `"head":3`), "line 5"},
		"something after the end":      {whole + "{}\n", "line 6"},
		"an append cut by the head":    {replaced(strings.Join(lines[:3], ""), 1, `"head":4`, `"head":2`), "line 3"},
		"data that is no object":       {replaced(whole, 2, `{"n":1}`, `[1]`), "line 2"},
		"no data":                      {replaced(whole, 2, `"data":{"n":1},`, ``), "line 2"},
		"a time that is none":          {replaced(whole, 2, `2024-05-16T`, `2024-05-36T`), "line 2"},
		"a time with microseconds":     {replaced(whole, 2, `03.004Z`, `03.004005Z`), "line 2"},
		"no command mark":              {replaced(whole, 5, `,"command":{"fingerprint":"f2","events":1}`, ``), "line 5"},
		"bytes that are not JSON":      {replaced(whole, 3, `"data"`, "\x00\xff"), "line 3"},
		"gzip cut off":                 {packed[:len(packed)-12], "cut off or damaged"},
		"gzip damaged":                 {packed[:len(packed)-8] + "xxxx" + packed[len(packed)-4:], "damaged"},
		"gzip of nothing":              {"\x1f\x8b", "damaged"},
		"events where credentials are": {smallSecretHeader + smallEvents, "line 2"},
		"credentials unannounced":      {smallHeader + smallSecrets + smallEvents, "line 2"},
		"a credential short":           {replaced(secret, 5, `{"user":"user_c","access":{"epoch":1,"disabled":true}}`+"\n", ""), "line 5"},
		"credentials cut off":          {smallSecretHeader + `{"user":"user_a","hash":"h"}` + "\n", "after line 2"},
		"a credential cut off":         {smallSecretHeader + `{"user":"user_a","ha`, "line 2: malformed, within the credentials"},
		"cut off after credentials":    {smallSecretHeader + smallSecrets, "with the end of the credentials, before the first event"},
		"credentials out of order":     {replaced(secret, 4, "user_b", "user_A"), "line 4"},
		"a user about whom is nothing": {replaced(secret, 3, `,"hash":"$argon2id$v=19$a+b/c"`, ""), "line 3"},
		"an access that is zero":       {replaced(secret, 5, `"epoch":1,"disabled":true`, ""), "line 5"},
		"a negative epoch":             {replaced(secret, 5, `"epoch":1`, `"epoch":-1`), "line 5"},
		"a session that is none":       {replaced(secret, 4, `session_ae`, `session_AE`), "line 4"},
		"a session of a later epoch":   {replaced(secret, 4, `"epoch":2,"started"`, `"epoch":3,"started"`), "line 4"},
		"a session at no time":         {replaced(secret, 4, `T12:00`, `T32:00`), "line 4"},
		"an access with more":          {replaced(secret, 5, `"epoch":1`, `"epoch":1,"more":1`), "line 5"},
		"a secret after credentials":   {replaced(secret, 5, `{"user":"user_c","access":{"epoch":1,"disabled":true}}`, `{"tokenSecret":"AAAA"}`), "line 5"},
		"two kinds in a line":          {replaced(secret, 2, `{`, `{"credentials":0,`), "line 2"},
		"a secret that is no base64":   {replaced(secret, 2, `AAH`, `*AAH`), "line 2"},
		"an epoch that would overflow": {replaced(secret, 5, `"epoch":1`, `"epoch":9223372036854775807`), "line 5"},
		"a hash that is not announced": {replaced(access, 2, `"access"`, `"hash":"h","access"`), "line 2: credentials, which the header does not announce"},
		"a secret, not announced":      {strings.Replace(access, smallAccess, `{"tokenSecret":"AAH+/w=="}`+"\n"+smallAccess, 1), "line 2: credentials, which"},
		"a session, not announced":     {strings.Replace(access, smallAccess, strings.Split(smallSecrets, "\n")[2]+"\n"+smallAccess, 1), "line 2: credentials, which"},
		"their count, not announced":   {replaced(access, 4, "users", "credentials"), "line 4: credentials, which"},
		"a count of users in secrets":  {replaced(secret, 6, "credentials", "users"), "line 6: not a line of the credentials"},
		"access that is not announced": {smallHeader + smallAccess + smallEvents, "line 2"},
		"a user short":                 {replaced(access, 3, `{"user":"user_c","access":{"epoch":1,"disabled":true}}`+"\n", ""), "line 3: 2 users, but there are 1"},
		"users out of order":           {replaced(access, 3, "user_c", "user_a"), "line 3"},
		"access cut off":               {smallAccessHeader + `{"user":"user_b","access":{"epoch":2}}` + "\n", "after line 2, within the users' access"},
		"cut off after access":         {smallAccessHeader + smallAccess, "with the end of the users' access, before the first event"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := readAll(c.file)
			if domain.KindOf(err) != domain.Invalid || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("got error %v, want one of kind Invalid that says %q", err, c.says)
			}
		})
	}
}

func TestNumbersHaveOneForm(t *testing.T) {
	for _, forms := range [][]string{
		{"0", "0.0", "0e5", "0.000"}, {"-0", "-0.0"}, {"1000", "1e3", "1.0e+3", "1000.00", "10E2"}, {"1.5", "1.50", "15e-1", "0.15e1"},
		{"-0.001", "-1e-3", "-0.0010"}, {"1e30", "1E+30", "10e29"}, {"12e-40", "1.2e-39"}, {"9007199254740993"}, {"12345678901234567890123.5"}, {"1e99999999999"},
	} {
		for _, form := range forms {
			log := smallLog()
			log.events = log.events[3:]
			log.events[0].Position, log.events[0].Data = 1, json.RawMessage(`{"n":`+form+`}`)
			if got := written(t, archive.Source{Log: log}); !strings.Contains(got, `{"n":`+forms[0]+`}`) {
				t.Errorf("%s: got %s, want %s", form, got, forms[0])
			}
		}
	}
}

// FuzzReader reads arbitrary archives. What the reader accepts is a log, whose
// archive reads as the same log.
func FuzzReader(f *testing.F) {
	f.Add(smallHeader + smallEvents)
	f.Add(smallSecretHeader + smallSecrets + smallEvents)
	f.Add(smallAccessHeader + smallAccess + smallEvents)
	f.Add(zipped(f, smallHeader+smallEvents))
	f.Fuzz(func(t *testing.T, file string) {
		h, s, events, err := readAll(file)
		if err != nil {
			if domain.KindOf(err) != domain.Invalid {
				t.Fatalf("got error %v, want one of kind Invalid", err)
			}
			return
		}
		var sequence eventstore.Sequence
		for _, e := range events {
			err = cmp.Or(err, sequence.Next(e))
		}
		if err := cmp.Or(err, sequence.End()); err != nil || sequence.Last() != h.Head {
			t.Fatalf("got events to %d, error %v; want a whole log to %d", sequence.Last(), err, h.Head)
		}
		source := archive.Source{Log: fixedLog{epoch: h.Epoch, events: events}, Secrets: h.Credentials}
		if h.Access {
			source.Credentials = fixedCredentials{secret: s.TokenSecret, credentials: s.Credentials}
		}
		once := written(t, source)
		h, s, events, err = readAll(once)
		if err != nil {
			t.Fatalf("read what was written: %v", err)
		}
		source.Log = fixedLog{epoch: h.Epoch, events: events}
		if h.Access {
			source.Credentials = fixedCredentials{secret: s.TokenSecret, credentials: s.Credentials}
		}
		if twice := written(t, source); twice != once {
			t.Errorf("got\n%s, want\n%s", twice, once)
		}
	})
}

// TestWriteReportsItsProgress checks that the last report is the head.
func TestWriteReportsItsProgress(t *testing.T) {
	var told []domain.Position
	log := chirps(2500)
	file := filepath.Join(t.TempDir(), "file")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_, err = archive.Write(t.Context(), out, archive.Source{Log: log, Progress: func(at, head domain.Position) {
		if head != 2500 {
			t.Errorf("Progress: got head %d, want 2500", head)
		}
		told = append(told, at)
	}})
	if want := []domain.Position{1000, 2000, 2500}; err != nil || !slices.Equal(told, want) {
		t.Errorf("Progress: got %v, error %v; want %v", told, err, want)
	}
}

// brokenLog reports one end and returns other events.
type brokenLog struct {
	fixedLog
	heads []eventstore.Head // one after the other, then the last one always
	asked *int
}

func (l brokenLog) Head(context.Context) (eventstore.Head, error) {
	head := l.heads[min(*l.asked, len(l.heads)-1)]
	*l.asked++
	return head, nil
}

func (l brokenLog) ReadAll(_ context.Context, after domain.Position, limit int) (some []eventstore.Event, err error) {
	for _, e := range l.events {
		if e.Position > after && len(some) < limit {
			some = append(some, e)
		}
	}
	return some, nil
}

func TestWriteFailsUnlessItWroteTheWholeLog(t *testing.T) {
	at := func(epoch string, positions ...domain.Position) (heads []eventstore.Head) {
		for _, p := range positions {
			heads = append(heads, eventstore.Head{Epoch: epoch, Position: p})
		}
		return heads
	}
	whole := smallLog().events // 4 of them
	for name, c := range map[string]struct {
		heads  []eventstore.Head
		events []eventstore.Event
		says   string // empty if it should succeed
	}{
		"the whole log":                       {at("e", 4), whole, ""},
		"an event was appended meanwhile":     {at("e", 3, 4), whole, ""},
		"the first was appended meanwhile":    {at("e", 0, 4), whole, ""},
		"it says that it is empty and is not": {at("e", 0), whole, "ends at 0, but has an event at position 1"},
		"an event is missing":                 {at("e", 4), slices.Delete(slices.Clone(whole), 1, 2), "position 3 instead of 2"},
		"the first is missing":                {at("e", 4), whole[1:], "position 2 instead of 1"},
		"the last is missing":                 {at("e", 4), whole[:3], "short of its head 4"},
		"all are missing":                     {at("e", 4), nil, "short of its head 4"},
		"it is emptied while it is read":      {at("e", 4, 0), whole, "was replaced while it was read"},
		"it is replaced while it is read":     {append(at("e", 4), at("other", 4)...), whole, "was replaced while it was read"},
		"an event comes twice":                {at("e", 4), slices.Insert(slices.Clone(whole), 2, whole[1]), "position 2 instead of 3"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked int
			_, err := archive.Write(t.Context(), io.Discard, archive.Source{Log: brokenLog{fixedLog{events: c.events}, c.heads, &asked}})
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("Write: got error %v, want %q", err, c.says)
			}
		})
	}
}
