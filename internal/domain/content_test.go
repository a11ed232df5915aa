package domain_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"chirp/internal/domain"
)

// vector is a text and what ParseContent must return for it. The web client's tests
// read the same file.
type vector struct {
	Name string `json:"name"`
	Text string `json:"text"`
	// Kept is nil for a text that is refused.
	Kept *string `json:"kept"`
	// Count is the number of code points that the client shows.
	Count   int    `json:"count,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// contents are texts that programs treat differently.
func contents() []vector {
	marks := func(n int) string { return strings.Repeat("\u0300", n) }
	texts := []struct{ name, text string }{
		{"letters", "hello"},
		{"white space of all kinds at the ends", "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2028\u2029\u202f\u205f\u3000hello\u3000\u0085 \r\n"},
		{"a byte order mark at the ends", "\ufeffhello\ufeff"},
		{"zero-width spaces at the ends", "\u200bhello\u200b"},
		{"line ends", "a\r\nb\nc"},
		{"a lone carriage return", "a\rb"},
		{"a tab", "a\tb"},
		{"a letter and its accent", "e\u0301"},
		{"a letter and an accent without a composed form", "q\u0301"},
		{"marks out of order", "a\u0301\u0323"},
		{"Hangul in parts", "\u1112\u1161\u11ab"},
		{"a composition that is excluded", "\u0958\u0344"},
		{"a singleton", "\u212b"},
		{"30 marks", "a" + marks(30)},
		{"31 marks", "a" + marks(31)},
		{"279 marks", "a" + marks(279)},
		{"30 marks on a letter with an accent", "\u00e9" + marks(29)},
		{"31 marks on a letter with an accent", "\u00e9" + marks(30)},
		{"31 marks around a joiner", "a" + marks(20) + "\u034f" + marks(10)},
		{"15 marks of two each", "a" + strings.Repeat("\u0344", 15)},
		{"16 marks of two each", "a" + strings.Repeat("\u0344", 16)},
		{"rows of 30 marks", strings.Repeat("a"+marks(30), 8)},
		{"31 enclosing marks", "a" + strings.Repeat("\u20dd", 31)},
		{"30 halfwidth voiced marks, which are letters", strings.Repeat("\uff9e", 30)},
		{"31 halfwidth voiced marks, which are letters", strings.Repeat("\uff9e", 31)},
		{"an accent with its space and 29 marks", "\u00b4" + marks(29)},
		{"an accent with its space and 30 marks", "\u00b4" + marks(30)},
		{"280 Korean vowels, as people write them to cry", strings.Repeat("\u3160", 280)},
		{"31 vowels of Hangul in parts", strings.Repeat("\u1161", 31)},
		{"31 final consonants of Hangul in parts", strings.Repeat("\u11a8", 31)},
		{"31 halfwidth vowels of Hangul", strings.Repeat("\uffc2", 31)},
		{"a vowel of Hangul and 30 marks", "\u1161" + marks(30)},
		{"a syllable of Hangul and 30 marks", "\uac01" + marks(30)},
		{"a syllable of Hangul in parts, and more of its parts", strings.Repeat("\u1112\u1161\u11ab\u11ab\u1161", 20)},
		{"280 letters", strings.Repeat("x", 280)},
		{"281 letters", strings.Repeat("x", 281)},
		{"280 letters and accents", strings.Repeat("e\u0301", 280)},
		{"281 letters and accents", strings.Repeat("e\u0301", 281)},
		{"280 emoji", strings.Repeat("\U0001F600", 280)},
		{"281 invisible characters", strings.Repeat("\u200b", 281)},
		{"a family", "\U0001F468\u200d\U0001F469\u200d\U0001F467"},
		{"a heart with its variation", "\u2764\ufe0f"},
		{"a flag of tags", "\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F"},
		{"a keycap", "1\ufe0f\u20e3"},
		{"right-to-left", "\u200fשלום\u200f"},
		{"nothing", ""},
		{"a control character among what is invisible", "\u200b\x00"},
		{"a visible character among what is not", "\u200b\u3164.\u2800\U000E0041"},
		{"a character of Unicode 17", "\U0001FAEA"},
	}
	for _, r := range []rune{
		' ', '\n', '\t', 0x00AD, 0x034F, 0x0301, 0x061C, 0x115F, 0x1160, 0x17B4, 0x180B, 0x180E, 0x200B, 0x200D, 0x200E, 0x202E, 0x2028, 0x2060, 0x2061,
		0x2065, 0x2066, 0x206A, 0x20DD, 0x2800, 0x3164, 0xFDD0, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0, 0xFFF9, 0xFFFE, 0x13441, 0x1BCA0, 0x1D159, 0x1D173,
		0x1FFFF, 0xE0001, 0xE0041, 0xE0100, 0xE0FFF, 0x10FFFF, 0xFFFD, 0x0600, 0x0378, 0xE000, 0x2801, 0x0F0C, 0x1F3FB, 0x1F1E6, 0x0E33,
	} {
		texts = append(texts, struct{ name, text string }{fmt.Sprintf("%U alone", r), strings.Repeat(string(r), 3)})
	}
	vectors := make([]vector, len(texts))
	for i, t := range texts {
		vectors[i] = judged(t.name, t.text)
	}
	return vectors
}

// judged returns the vector of a text, by ParseContent.
func judged(name, text string) vector {
	v := vector{Name: name, Text: text}
	content, err := domain.ParseContent(text)
	if err == nil {
		kept := string(content)
		v.Kept, v.Count = &kept, utf8.RuneCountInString(kept)
		return v
	}
	for says, problem := range map[string]string{"empty": "empty", "in a row": "marks", "are allowed": "long", "control character": "control"} {
		if strings.Contains(err.Error(), says) && (problem != "long" || strings.Contains(err.Error(), "at most")) {
			v.Problem = problem
		}
	}
	return v
}

// goldenFile compares a file with what it should contain, or writes it with
// -update.
func goldenFile(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not up to date (%v); run go test ./internal/domain -update", path, err)
	}
}

func TestContentsAreJudgedAsTheWebClientJudgesThem(t *testing.T) {
	var lines []string
	for _, v := range contents() {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, escaped(string(line)))
	}
	goldenFile(t, "testdata/content/vectors.json", "[\n"+strings.Join(lines, ",\n")+"\n]\n")
}

// escaped returns a JSON text in ASCII, so that no tool changes it.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// TestNormalFormCAddsNothing tries each character except ideographs in rows long
// enough for the library to insert a character.
func TestNormalFormCAddsNothing(t *testing.T) {
	marks := strings.Repeat("\u0300", 30)
	for r := rune(0x80); r < 0x20000; r++ {
		if !utf8.ValidRune(r) || r == '\u034f' {
			continue
		}
		row := strings.Repeat(string(r), 31)
		for _, text := range []string{"a" + row, string(r) + marks, "\u1100" + row + marks, "\uac00" + row} {
			if kept, err := domain.ParseContent(text); err == nil && strings.ContainsRune(string(kept), '\u034f') {
				t.Errorf("%U: got %+q of %+q, with a U+034F that is not in the text", r, kept, text)
			}
		}
	}
}

func TestTheWebClientKnowsTheSameCharacters(t *testing.T) {
	isMark := func(r rune) bool { return unicode.Is(unicode.M, r) }
	isOther := func(r rune) bool { return domain.Invisible(r) && !isMark(r) }
	goldenFile(t, "../../web/src/text/characters.ts", "// Generated by go test ./internal/domain -update, so that the pages use the same Unicode version as the server.\n"+
		"// Each constant is the body of a regular expression character class.\n\n"+
		"/** Combining marks. */\nexport const MARKS =\n  '"+class(isMark)+"';\n\n"+
		"/** Other characters that are invisible on their own. */\nexport const BLANKS =\n  '"+class(isOther)+"';\n")
}

// class is the inside of a regular expression's character class.
func class(is func(rune) bool) string {
	var b strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		first := r
		for r <= unicode.MaxRune && is(r) {
			r++
		}
		switch {
		case r == first+1:
			fmt.Fprintf(&b, `\\u{%x}`, first)
		case r > first:
			fmt.Fprintf(&b, `\\u{%x}-\\u{%x}`, first, r-1)
		}
	}
	return b.String()
}

func TestNormalisationAddsNothing(t *testing.T) {
	runes := []rune{'a', ' ', 0x00E9, 0x0300, 0x0301, 0x0323, 0x0344, 0x034F, 0x0F73, 0x0F75, 0x0F81, 0x1161, 0x11A8, 0x1100, 0x1EA5, 0x200D, 0x20DD, 0x302E, 0x3099, 0xFB2C, 0xFDFA, 0xFF9E, 0xFF9F, 0x00B4, 0xFC5E, 0xFE70, 0x0E33, 0x1D15F, 0x1D165}
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.SampledFrom(runes), 0, 80).Draw(t, "text"))
		content, err := domain.ParseContent(text)
		if err == nil && strings.Count(string(content), "\u034f") != strings.Count(text, "\u034f") {
			t.Fatalf("%+q: got %+q, with a character that no one wrote", text, content)
		}
		if err == nil && norm.NFD.String(string(content)) != norm.NFD.String(strings.TrimSpace(text)) {
			t.Fatalf("%+q: got %+q, which is another text", text, content)
		}
	})
}
