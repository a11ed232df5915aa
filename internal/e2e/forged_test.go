package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/domain"
)

// onLine returns a function that replaces a text in a line of an archive, which
// count from 1.
func onLine(line int, old, text string) func(string) string {
	return func(log string) string {
		lines := strings.SplitAfter(log, "\n")
		lines[line-1] = strings.Replace(lines[line-1], old, text, 1)
		return strings.Join(lines, "")
	}
}

// other is the id of a user who is not in the log of manyEvents.
var other = string(domain.UserIDFrom([16]byte{6: 0x70, 8: 0x80, 15: 1}))

// forgeries change the log of manyEvents(2), in which ann registers at positions 1
// and 2 and posts at 3 and 4. says is what import and verify say.
var forgeries = map[string]struct {
	forge func(log string) string
	says  string
}{
	"an event of another user": {onLine(5, `"actor":"user_`, `"actor":"user_x`), `the event at position 4 ("chirp.posted.v1") breaks a rule: its actor is`},
	"a long chirp":             {onLine(5, `"content":"chirp"`, `"content":"`+strings.Repeat("x", 100_000)+`"`), `the event at position 4 ("chirp.posted.v1") breaks a rule: content has 100000 code points`},
	"a control character":      {onLine(4, `"content":"chirp"`, `"content":"a\u0007b"`), `the event at position 3 ("chirp.posted.v1") breaks a rule: content has the control character`},
	"an impossible name":       {onLine(2, `"username":"Ann"`, `"username":"Ann and 15 others"`), `the event at position 1 ("user.registered.v1") breaks a rule: username "Ann and 15 others"`},
	"an unknown type":          {onLine(4, "chirp.posted.v1", "chirp.posted.v9"), `the event at position 3 ("chirp.posted.v9") breaks a rule: unknown event type`},
	"a follow of oneself": {func(log string) string {
		line := strings.Split(log, "\n")[4]
		user := line[strings.Index(line, `"actor":"`)+len(`"actor":"`):]
		user = user[:strings.IndexByte(user, '"')]
		followed := strings.Replace(line, line[strings.Index(line, `"stream"`):strings.Index(line, `,"recordedAt"`)],
			`"stream":"follow:`+user+":"+user+`","version":1,"type":"user.followed.v1","data":{"followerId":"`+user+`","followeeId":"`+user+`"}`, 1)
		return strings.Replace(log, line, followed, 1)
	}, `the event at position 4 ("user.followed.v1") breaks a rule: its command is refused: you cannot follow yourself`},
	"a chirp by nobody": {func(log string) string {
		lines := strings.Split(log, "\n")
		at := strings.Index(lines[3], `"authorId":"`) + len(`"authorId":"`)
		lines[3] = strings.ReplaceAll(lines[3], lines[3][at:at+len(other)], other)
		return strings.Join(lines, "\n")
	}, `the event at position 3 ("chirp.posted.v1") breaks a rule: its command is refused: user ` + other + " is not registered at this point"},
}

func TestImportRefusesWhatNoCommandAppends(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		file := filepath.Join(t.TempDir(), "log.jsonl")
		for name, c := range forgeries {
			if err := os.WriteFile(file, []byte(c.forge(manyEvents(2))), 0o600); err != nil {
				t.Fatal(err)
			}
			if e := p.Command(t, "import", file); e.Code != 1 || !strings.Contains(e.Log, c.says) || strings.Count(e.Log, "\n") != 1 {
				t.Errorf("%s: exit code %d, log %.500q; want 1 and one line that says %q", name, e.Code, e.Log, c.says)
			}
			wantEmpty(t, p)
		}
	})
}

// TestVerifyFindsWhatNoCommandAppends has the forged log in the store, as an older
// version imported it.
func TestVerifyFindsWhatNoCommandAppends(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		file := filepath.Join(t.TempDir(), "log.jsonl")
		log := forgeries["a long chirp"].forge(forgeries["an event of another user"].forge(forgeries["a control character"].forge(manyEvents(3))))
		if err := os.WriteFile(file, []byte(onLine(6, `"actor":"user_`, `"actor":"user_x`)(log)), 0o600); err != nil {
			t.Fatal(err)
		}
		importAny(t, p, file)
		apitest.Start(t, p).Terminate(t)
		e := p.Command(t, "verify")
		for _, want := range []string{"event 3 (chirp.posted.v1) of the log: want an event that a command appends, got content has the control character",
			"event 4 (chirp.posted.v1) of the log: want an event that a command appends, got content has 100000 code points",
			"event 5 (chirp.posted.v1) of the log: want an event that a command appends, got its actor is", "differences: 3;"} {
			if e.Code != 1 || !strings.Contains(e.Out, want) {
				t.Errorf("verify: exit code %d, output\n%.2000s\nwant 1 and %q", e.Code, e.Out, want)
			}
		}
	})
}
