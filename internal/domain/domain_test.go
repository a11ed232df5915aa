package domain_test

import (
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"chirp/internal/domain"
)

func TestIDsSayTheirKindAndSortByTime(t *testing.T) {
	early := [16]byte{0x01, 0x88, 0x95, 0xc3, 0x2b, 0x7e, 0x70, 0x01, 0x80, 1}
	late := [16]byte{0x01, 0x88, 0x95, 0xc3, 0x2b, 0x7f, 0x70, 0x00, 0x80, 0}
	for _, c := range []struct {
		kind    string
		a, b    string
		parse   func(string) (string, error)
		foreign string
	}{
		{"user", string(domain.UserIDFrom(early)), string(domain.UserIDFrom(late)), parseUserID, string(domain.ChirpIDFrom(early))},
		{"chirp", string(domain.ChirpIDFrom(early)), string(domain.ChirpIDFrom(late)), parseChirpID, string(domain.UserIDFrom(early))},
	} {
		t.Run(c.kind, func(t *testing.T) {
			if !strings.HasPrefix(c.a, c.kind+"_") || len(c.a) != len(c.kind)+27 {
				t.Errorf("got %q, want %s_ and 26 characters", c.a, c.kind)
			}
			if c.a >= c.b {
				t.Errorf("got %q for the earlier and %q for the later, want them in order", c.a, c.b)
			}
			for _, in := range []string{c.a, c.b, c.kind + "_00000000000000000000000000", c.kind + "_7zzzzzzzzzzzzzzzzzzzzzzzzz"} {
				got, err := c.parse(in)
				checkParsed(t, got, err, in, true)
			}
			suffix := c.a[len(c.kind)+1:]
			for _, in := range []string{
				"", c.kind, c.kind + "_", "_" + suffix, suffix, c.foreign,
				c.kind + suffix, c.kind + "_x_" + suffix, c.kind + "__" + suffix, "x_" + c.a,
				c.kind + "_" + suffix[1:], c.kind + "_0" + suffix, c.kind + "_8" + suffix[1:],
				strings.ToUpper(c.a), c.kind + "_" + strings.ToUpper(suffix), strings.Replace(c.a, suffix[25:], "l", 1),
				" " + c.a, c.a + " ", c.a + "\n", c.a + "\x00", c.a[:30] + "\xff", strings.Repeat(c.a, 100),
			} {
				got, err := c.parse(in)
				checkParsed(t, got, err, in, false)
			}
		})
	}
}

func parseUserID(s string) (string, error) {
	id, err := domain.ParseUserID(s)
	return string(id), err
}

func parseChirpID(s string) (string, error) {
	id, err := domain.ParseChirpID(s)
	return string(id), err
}

func FuzzParseUserID(f *testing.F) {
	f.Add(string(ann))
	f.Add("user_x_01h455vb4pex5vsknk084sn02q")
	f.Add("user_01h455vb4pex5vsknk084sn0_q")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := domain.ParseUserID(s)
		checkParsed(t, string(id), err, s, err == nil)
		if err == nil && (len(s) != 31 || strings.ContainsAny(s[5:], "_iluoAZ")) {
			t.Fatalf("ParseUserID accepted %q", s)
		}
	})
}

func TestStreams(t *testing.T) {
	for _, c := range []struct{ got, want domain.StreamID }{
		{domain.UserStream(ann), "user:user_01h455vb4pex5vsknk084sn02q"},
		{domain.UsernameStream("Ann"), "username:ann"},
		{domain.ChirpStream("chirp_1"), "chirp:chirp_1"},
		{domain.FollowStream(ann, bob), "follow:user_01h455vb4pex5vsknk084sn02q:user_01h455vb4pex5vsknk084sn02r"},
		{domain.FollowStream(bob, ann), "follow:user_01h455vb4pex5vsknk084sn02r:user_01h455vb4pex5vsknk084sn02q"},
	} {
		if c.got != c.want {
			t.Errorf("got stream %q, want %q", c.got, c.want)
		}
	}
}

func TestParsePosition(t *testing.T) {
	for _, p := range []domain.Position{0, 1, 42, math.MaxInt32 + 1, math.MaxInt64} {
		if got, err := domain.ParsePosition(p.String()); err != nil || got != p {
			t.Errorf("ParsePosition %q: got %d, error %v", p.String(), got, err)
		}
	}
	for _, s := range []string{"", "-1", "-0", "+1", "01", "00", "1.0", "1e3", "0x1", "1_000", " 1", "1 ", "1\x00", "٣", "9223372036854775808", strings.Repeat("9", 500)} {
		if got, err := domain.ParsePosition(s); domain.KindOf(err) != domain.Invalid || got != 0 || err == nil || len(err.Error()) > 200 {
			t.Errorf("ParsePosition %q: got %d, error %v; want a short one of kind Invalid", s, got, err)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	f.Add("0")
	f.Add("9223372036854775807")
	f.Add("-0")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := domain.ParsePosition(s); err == nil && (p < 0 || p.String() != s) {
			t.Fatalf("ParsePosition %q: got %d", s, p)
		}
	})
}

func TestKindOfFindsTheKindInTheChain(t *testing.T) {
	taken := domain.Errorf(domain.UsernameTaken, "name %q is taken", "ann")
	for _, c := range []struct {
		name string
		err  error
		want domain.Kind
	}{
		{"itself", taken, domain.UsernameTaken},
		{"wrapped", fmt.Errorf("register: %w", taken), domain.UsernameTaken},
		{"wrapped beside another", fmt.Errorf("%w and %w", io.EOF, taken), domain.UsernameTaken},
		{"the first of two", fmt.Errorf("%w: %w", domain.Errorf(domain.Unavailable, "wait"), taken), domain.Unavailable},
		{"a foreign error", io.EOF, domain.Internal},
		{"no error", nil, domain.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := domain.KindOf(c.err); got != c.want {
				t.Errorf("got kind %d, want %d", got, c.want)
			}
		})
	}
	if got, want := taken.Error(), `name "ann" is taken`; got != want {
		t.Errorf("got message %q, want %q", got, want)
	}
}
