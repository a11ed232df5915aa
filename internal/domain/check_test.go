package domain_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"chirp/internal/domain"
)

// TestCheckContentAcceptsWhatParseContentReturns tries random texts of characters
// that some rule is about.
func TestCheckContentAcceptsWhatParseContentReturns(t *testing.T) {
	characters := []rune("ab \n\r\t\u0301\u0327\u200b\u1161\u11a8\u1100\u3160é☃\u034f👩‍🚀\x00\u0085\u2028ﬁ")
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 20_000 {
		var text strings.Builder
		for range random.IntN(40) {
			text.WriteRune(characters[random.IntN(len(characters))])
		}
		content, err := domain.ParseContent(text.String())
		if err != nil {
			continue
		}
		accepted++
		if err := domain.CheckContent(content); err != nil {
			t.Fatalf("CheckContent(%q): got error %v, want none, because ParseContent returns it", content, err)
		}
		if again, err := domain.ParseContent(string(content)); again != content || err != nil {
			t.Fatalf("ParseContent(%q): got %q, error %v; want it unchanged", content, again, err)
		}
	}
	if accepted < 100 {
		t.Errorf("ParseContent accepted %d texts; want enough to test", accepted)
	}
}

func TestCheckContent(t *testing.T) {
	for _, c := range []struct {
		name, content string
		ok            bool
	}{
		{"a text", "hello\n☃", true},
		{"280 characters", strings.Repeat("☃", 280), true},
		{"31 vowels of Hangul in a row", strings.Repeat("ㅠ", 31), true},
		{"no visible character, as before that rule", "\u200b", true},
		{"many marks, as the library once wrote them", norm.NFC.String("a" + strings.Repeat("\u0327", 40)), true},
		{"nothing", "", false},
		{"281 characters", strings.Repeat("☃", 281), false},
		{"white space at the start", "\nx", false},
		{"white space at the end", "x\u00a0", false},
		{"a tab", "a\tb", false},
		{"another line ending", "a\r\nb", false},
		{"another normalization form", "e\u0301", false},
		{"invalid UTF-8", "a\xff", false},
	} {
		if err := domain.CheckContent(domain.Content(c.content)); (err == nil) != c.ok || err != nil && domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: got error %v, want it to be accepted: %t", c.name, err, c.ok)
		}
	}
}

// TestCheckEventAcceptsEveryEvent has each kind of event, so that none is forgotten.
func TestCheckEventAcceptsEveryEvent(t *testing.T) {
	for _, fact := range golden() {
		if err := domain.CheckEvent(fact); err != nil {
			t.Errorf("%s: got error %v, want none", fact.WireName(), err)
		}
	}
}
