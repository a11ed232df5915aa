package domain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"chirp/internal/domain"
)

func TestParseUsername(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"1 character", "a", true},
		{"15 characters", "abcdefghijklm_9", true},
		{"digits alone", "0123456789", true},
		{"underscore alone", "_", true},
		{"both cases", "AbC", true},
		{"empty", "", false},
		{"16 characters", "abcdefghijklmnop", false},
		{"a space", "a b", false},
		{"a space at the end", "ann ", false},
		{"a hyphen", "a-b", false},
		{"a dot", "a.b", false},
		{"a letter beyond ASCII", "zoë", false},
		{"a letter that folds to ASCII", "\u212Aelvin", false},
		{"a fullwidth letter", "\uFF41nn", false},
		{"a newline at the end", "ann\n", false},
		{"NUL", "a\x00b", false},
		{"invalid UTF-8", "a\xffb", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := domain.ParseUsername(c.in)
			checkParsed(t, string(got), err, c.in, c.ok)
		})
	}
}

// checkParsed checks that a text is returned unchanged, or refused as Invalid.
func checkParsed(t *testing.T, got string, err error, in string, ok bool) {
	t.Helper()
	switch {
	case ok && (err != nil || got != in):
		t.Errorf("got %q, error %v; want %q", got, err, in)
	case !ok && (err == nil || domain.KindOf(err) != domain.Invalid || got != ""):
		t.Errorf("got %q, error %v; want kind Invalid", got, err)
	}
}

func TestUsernamesThatDifferInCaseShareAStream(t *testing.T) {
	if a, b := domain.UsernameStream("Ann_Z9"), domain.UsernameStream("aNN_z9"); a != b || a != "username:ann_z9" {
		t.Errorf("got %q and %q, want both username:ann_z9", a, b)
	}
	if a, b := domain.UsernameStream("ann"), domain.UsernameStream("ann_"); a == b {
		t.Errorf("got %q for both ann and ann_", a)
	}
	if got := domain.Username("Ann_Z9").Folded(); got != "ann_z9" {
		t.Errorf("Folded: got %q, want ann_z9", got)
	}
}

func TestParseIdentity(t *testing.T) {
	const issuer = "https://login.example.com"
	for _, c := range []struct {
		name, issuer, subject string
		ok                    bool
	}{
		{"an issuer and a subject", issuer, "248289761001", true},
		{"1 byte each", "i", "s", true},
		{"the most bytes", strings.Repeat("i", 512), strings.Repeat("s", 255), true},
		{"a subject like an operator", issuer, `{"$gt": ""}`, true},
		{"a subject beyond ASCII", issuer, "zoë", true},
		{"no issuer", "", "1", false},
		{"no subject", issuer, "", false},
		{"513 bytes of issuer", strings.Repeat("i", 513), "1", false},
		{"256 bytes of subject", issuer, strings.Repeat("s", 256), false},
		{"invalid UTF-8", issuer, "\xff", false},
		{"NUL", issuer, "a\x00", false},
		{"a newline in the issuer", issuer + "\n", "1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := domain.ParseIdentity(c.issuer, c.subject)
			if c.ok && (err != nil || got != domain.Identity{Issuer: c.issuer, Subject: c.subject}) {
				t.Errorf("got %+v, error %v; want it as it is", got, err)
			}
			if !c.ok && (err == nil || domain.KindOf(err) != domain.Invalid || got != domain.Identity{}) {
				t.Errorf("got %+v, error %v; want kind Invalid", got, err)
			}
		})
	}
}

func TestEachIdentityHasAStreamOfItsOwn(t *testing.T) {
	// A literal, because the log has it and it must not change.
	const want = "identity:e18f4b7f19c05c7f85a69289e64664a763d82a147829c01e1597f441ef72f660"
	if got := domain.IdentityStream(domain.Identity{Issuer: "https://i.example", Subject: "1"}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	seen := map[domain.StreamID]domain.Identity{}
	for _, i := range []domain.Identity{
		{Issuer: "ab", Subject: "c"}, {Issuer: "a", Subject: "bc"}, {Issuer: "a,1:b", Subject: "c"}, {Issuer: "a", Subject: "b,1:c"},
		{Issuer: "ab", Subject: "C"}, {Issuer: strings.Repeat("i", 512), Subject: strings.Repeat("s", 255)}, {Issuer: "a:", Subject: "c"}, {Issuer: "a", Subject: ":c"},
	} {
		stream := domain.IdentityStream(i)
		if other, taken := seen[stream]; taken || len(stream) != len("identity:")+64 {
			t.Errorf("%+v: got stream %q, that of %+v; want its own, of 73 bytes", i, stream, other)
		}
		seen[stream] = i
	}
}

func TestParseContentGives(t *testing.T) {
	family := "\U0001F468\u200d\U0001F469\u200d\U0001F467"
	for _, c := range []struct{ name, in, want string }{
		{"a text as it is", "Hello, world.", "Hello, world."},
		{"1 code point", "x", "x"},
		{"280 code points", strings.Repeat("x", 280), strings.Repeat("x", 280)},
		{"280 code points of 4 bytes", strings.Repeat("\U0001F600", 280), strings.Repeat("\U0001F600", 280)},
		{"280 code points between white space", " \n" + strings.Repeat("x", 280) + "\t ", strings.Repeat("x", 280)},
		{"280 code points after composing", strings.Repeat("e\u0301", 280), strings.Repeat("é", 280)},
		{"a composed letter for a combining mark", "cafe\u0301", "caf\u00e9"},
		{"marks in the canonical order", "a\u0301\u0323", "\u1ea1\u0301"},
		{"composed Hangul", "\u1112\u1161\u11ab", "\ud55c"},
		{"compatibility characters as they are", "\ufb01 \u00bd", "\ufb01 \u00bd"},
		{"a newline for CRLF", "a\r\nb\r\n\r\nc", "a\nb\n\nc"},
		{"newlines", "a\n\nb", "a\n\nb"},
		{"no white space at the ends", "\u3000\u00a0 \t\r\n a \u2003\n", "a"},
		{"white space within", "a \u3000 b", "a \u3000 b"},
		{"an emoji joined by zero-width joiners", family, family},
		{"30 combining marks", "a" + strings.Repeat("\u0323", 30), "\u1ea1" + strings.Repeat("\u0323", 29)},
		{"an invisible character at the end", "a\u200b", "a\u200b"},
		{"right-to-left text", "שלום \u200fx", "שלום \u200fx"},
		{"the replacement character", "\ufffd", "\ufffd"},
		{"the last code point that may be a character", "\U0010fffd", "\U0010fffd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := domain.ParseContent(c.in); err != nil || string(got) != c.want {
				t.Errorf("got %q, error %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestParseContentRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, says string }{
		{"empty", "", "empty"},
		{"white space only", " \t\r\n\u3000\u2028", "empty"},
		{"281 code points", strings.Repeat("x", 281), "281 code points"},
		{"281 combining marks that stay", "x" + strings.Repeat("\u20dd", 280), "combining marks in a row"},
		{"31 combining marks", "a" + strings.Repeat("\u0300", 31), "more than 30 combining marks in a row"},
		{"31 combining marks of which one composes", "\u00e9" + strings.Repeat("\u0300", 30), "more than 30 combining marks in a row"},
		{"zero-width characters only", "\u200b\u200d\ufeff", "empty"},
		{"fillers and blanks only", "\u3164 \u2800\u00ad", "empty"},
		{"lone marks only", "\u0301\u0301", "empty"},
		{"281 code points after composing", strings.Repeat("e\u0301", 281), "281 code points"},
		{"a lone CR", "a\rb", "U+000D"},
		{"a CR before a CRLF", "a\r\r\nb", "U+000D"},
		{"NUL", "a\x00b", "U+0000"},
		{"NUL alone", "\x00", "U+0000"},
		{"a tab within", "a\tb", "U+0009"},
		{"escape", "\x1b[31mred", "U+001B"},
		{"DEL", "a\x7fb", "U+007F"},
		{"the first C1 control", "a\u0080b", "U+0080"},
		{"next line, a C1 control", "a\u0085b", "U+0085"},
		{"the last C1 control", "a\u009fb", "U+009F"},
		{"invalid UTF-8", "a\xffb", "UTF-8"},
		{"half a code point", "a\xe2\x82", "UTF-8"},
		{"a surrogate", "a\xed\xa0\x80", "UTF-8"},
		{"an overlong NUL", "a\xc0\x80", "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := domain.ParseContent(c.in)
			checkParsed(t, string(got), err, c.in, false)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got message %q, want one with %q", err, c.says)
			}
		})
	}
}

func FuzzParseContent(f *testing.F) {
	for _, s := range []string{"", "a", "e\u0301\r\n", " \u0301", "\r\r\n", "\u1112\u1161\u11ab", "\u0344", "a\xff", "x" + strings.Repeat("\u0301", 40), strings.Repeat("\u0323\u0301", 70)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := domain.ParseContent(s)
		if err != nil {
			if domain.KindOf(err) != domain.Invalid || !utf8.ValidString(err.Error()) {
				t.Fatalf("got error %q, want one of kind Invalid in UTF-8", err)
			}
			return
		}
		n := utf8.RuneCountInString(string(c))
		if n < 1 || n > domain.MaxContent || strings.TrimSpace(string(c)) != string(c) || !norm.NFC.IsNormalString(string(c)) ||
			!utf8.ValidString(string(c)) || strings.Count(string(c), "\u034f") != strings.Count(s, "\u034f") || strings.ContainsAny(string(c), "\r\x00\u0085") {
			t.Fatalf("ParseContent %q: got %q, which breaks a rule", s, c)
		}
		if again, err := domain.ParseContent(string(c)); err != nil || again != c {
			t.Fatalf("ParseContent again: got %q, error %v; want %q", again, err, c)
		}
	})
}

func TestCheckPassword(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"8 bytes", "12345678", true},
		{"1,024 bytes", strings.Repeat("x", 1024), true},
		{"3 code points of 9 bytes", "\u20ac\u20ac\u20ac", true},
		{"white space", "        ", true},
		{"invalid UTF-8 and NUL", "\xff\x00\xff\x00\xff\x00\xff\x00", true},
		{"empty", "", false},
		{"7 bytes", "1234567", false},
		{"1,025 bytes", strings.Repeat("x", 1025), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := domain.CheckPassword(c.in)
			if (err == nil) != c.ok || err != nil && domain.KindOf(err) != domain.Invalid {
				t.Errorf("got error %v, want ok %t", err, c.ok)
			}
			if err != nil && c.in != "" && strings.Contains(err.Error(), c.in) {
				t.Errorf("the message %q has the password", err)
			}
		})
	}
}
