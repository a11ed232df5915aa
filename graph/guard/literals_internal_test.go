package guard

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph"
	"chirp/graph/model"
)

func TestStringLiteralsHaveTheRightValue(t *testing.T) {
	v := newValidator(graph.Schema(), Limits{}.withDefaults(), true)
	for literal, want := range map[string]string{
		`"plain \"\\\/\b\f\n\r\t"`:                "plain \"\\/\b\f\n\r\t",
		`"\u00e9\u00E9\uFFFD"`:                    "éé\uFFFD",
		`"\uD83D\uDE00"`:                          "😀",
		`"\ud83d\ude00\uD83D\uDE00"`:              "😀😀",
		`"\u{1F600}\u{41}\u{0010FFFF}\u{e9}"`:     "😀A\U0010FFFFé",
		`"\\uD83D"`:                               `\uD83D`,
		`"😀 and é"`:                               "😀 and é",
		`"""\uD83D \u{D83D} \q"""`:                `\uD83D \u{D83D} \q`,
		`"""say \""" twice"""`:                    `say """ twice`,
		"\"\"\"\r\n  one\r    two\n  three\"\"\"": "one\n  two\nthree",
		"\"tab\t\"":                               "tab\t",
	} {
		doc, errs := v.document("{ user(username: " + literal + ") { id } } # \\uD83D \"\\uD83D\"")
		if len(errs) > 0 {
			t.Errorf("%s: got %v, want %q", literal, errs, want)
			continue
		}
		field, _ := doc.Operations[0].SelectionSet[0].(*ast.Field)
		if got := field.Arguments[0].Value.Raw; got != want {
			t.Errorf("%s: got %q, want %q", literal, got, want)
		}
	}
}

func TestInvalidEscapesAreSyntaxErrors(t *testing.T) {
	v := newValidator(graph.Schema(), Limits{}.withDefaults(), true)
	for _, bad := range []string{
		`\uD83D`, `\uDE00`, `\uDBFF`, `\uDC00`, `\ud83d`, // lone surrogates
		`\uDE00\uD83D`, `\uD83D\uD83D`, `\uD83D\u0041`, `\uD83D\n`, `\uD83Dx`, `\uD83D \uDE00`, // in the wrong order
		`\uD83D\u{DE00}`, `\u{D83D}\u{DE00}`, `\u{D83D}`, `\u{DFFF}`, // of the wrong form
		`\u{110000}`, `\u{FFFFFFFF}`, `\u{100000041}`, `\u{000000041}`, `\u{}`, `\u{41`, `\u{ 41}`, `\u{+1}`,
		`\u12`, `\uXYZW`, `\u+123`, `\q`, `\`, `\U0001F600`, `\x41`, `\'`,
	} {
		for _, before := range []string{"", "x", "é😀", `\uD83D\uDE00`} {
			text := "{\n user(username: \"" + before + bad + "\") { id } }"
			doc, errs := v.document(text)
			if doc != nil || len(errs) != 1 || errs[0].Extensions["code"] != string(model.ErrorCodeGraphqlParseFailed) {
				t.Errorf("%s: got %v, want one syntax error", text, errs)
				continue
			}
			want := gqlerror.Location{Line: 2, Column: 18 + utf8.RuneCountInString(before)}
			if strings.HasPrefix(bad, `\uD83D\u{`) {
				want.Column += len(`\uD83D`) // the second escape is wrong in itself
			}
			if got := errs[0].Locations; bad != `\` && (len(got) != 1 || got[0] != want) {
				t.Errorf("%s: got the error at %v, want %v", text, got, want)
			}
		}
	}
}

// marked are documents whose error is at the first ¦.
var marked = []struct{ name, text, code string }{
	{"an unknown field", "{\n  viewer {\n    ¦nonsense\n  }\n}", "GRAPHQL_VALIDATION_FAILED"},
	{"a field after tabs", "{\n\tviewer {\n\t\t¦nonsense } }", "GRAPHQL_VALIDATION_FAILED"},
	{"a field after a comment", "{ # é😀 \"\"\" \" \\u\n\n ¦nonsense }", "GRAPHQL_VALIDATION_FAILED"},
	{"a field after a string of many bytes", `{ user(username: "é😀\u00e9\"") { ¦nonsense } }`, "GRAPHQL_VALIDATION_FAILED"},
	{"a field after a block string", "{ user(username: \"\"\"é\n😀\"\"\"\") { ¦nonsense } }", "GRAPHQL_VALIDATION_FAILED"},
	{"a field after an empty string", `{ user(username: "") { ¦nonsense } }`, "GRAPHQL_VALIDATION_FAILED"},
	{"a field behind a byte order mark", "\uFEFF{ ¦nonsense }", "GRAPHQL_VALIDATION_FAILED"},
	{"a string for a number", "query {\n feed(first: ¦\"20\") { edges { cursor } } }", "GRAPHQL_VALIDATION_FAILED"},
	{"an empty string for a number", "query {\n feed(first: ¦\"\") { edges { cursor } } }", "GRAPHQL_VALIDATION_FAILED"},
	{"a string for a number behind another", "{ user(username: \"é\") { chirps(first: ¦\"20\") { edges { cursor } } } }", "GRAPHQL_VALIDATION_FAILED"},
	{"a block string for a number", "query {\n feed(first: ¦\"\"\"20\"\"\") { edges { cursor } } }", "GRAPHQL_VALIDATION_FAILED"},
	{"a long block string for a number", "query {\n feed(first: ¦\"\"\"é\n  20\n\n\"\"\") { edges { cursor } } }", "GRAPHQL_VALIDATION_FAILED"},
	{"an unexpected name", "{\n viewer {\n id }\n} ¦nonsense", "GRAPHQL_PARSE_FAILED"},
	{"an unexpected string", "{\n viewer {\n ¦\"é\" } }", "GRAPHQL_PARSE_FAILED"},
	{"an unexpected block string", "{\n viewer {\n ¦\"\"\"é\n\n\"\"\" } }", "GRAPHQL_PARSE_FAILED"},
	{"an unexpected character", "{\n viewer {\n  ¦é } }", "GRAPHQL_PARSE_FAILED"},
	{"a control character", "{\n viewer {\n  ¦\x01 } }", "GRAPHQL_PARSE_FAILED"},
	{"a control character in a string", "{\n user(username: \"é¦\x01\") { id } }", "GRAPHQL_PARSE_FAILED"},
	{"a lone surrogate", "{\n user(username: \"é¦\\uD83D\") { id } }", "GRAPHQL_PARSE_FAILED"},
	{"an open string", "{\n user(username: \"é¦\n\") { id } }", "GRAPHQL_PARSE_FAILED"},
	{"the end", "{\n viewer {\n id }\n¦", "GRAPHQL_PARSE_FAILED"},
}

func TestErrorsHaveTheRightLocation(t *testing.T) {
	v := newValidator(graph.Schema(), Limits{}.withDefaults(), true)
	for _, c := range marked {
		before, after, _ := strings.Cut(c.text, "¦")
		lastLine := before[strings.LastIndex(before, "\n")+1:]
		want := gqlerror.Location{Line: 1 + strings.Count(before, "\n"), Column: 1 + utf8.RuneCountInString(lastLine)}
		for _, end := range []string{"\n", "\r\n", "\r"} {
			_, errs := v.document(strings.ReplaceAll(before+after, "\n", end))
			if len(errs) == 0 {
				t.Errorf("%s, lines ending in %q: got no error", c.name, end)
				continue
			}
			if got := errs[0].Locations; len(got) != 1 || got[0] != want || errs[0].Extensions["code"] != c.code {
				t.Errorf("%s, lines ending in %q: got %s at %v, want %s at %v", c.name, end, errs[0].Message, got, c.code, want)
			}
		}
	}
}

func TestErrorQuotesTheUnexpectedCharacter(t *testing.T) {
	v := newValidator(graph.Schema(), Limits{}.withDefaults(), true)
	for text, want := range map[string]string{
		"{ “viewer” }":                   `"“"`,
		"{ 😀 }":                          `"😀"`,
		"{ feed(first: -é) { cursor } }": `"é"`,
		"{ ? }":                          `"?"`,
	} {
		if _, errs := v.document(text); len(errs) != 1 || !strings.Contains(errs[0].Message, want) {
			t.Errorf("%s: got %v, want %s named", text, errs, want)
		}
	}
}

// FuzzLiterals writes texts into a string and a block string. Accepted ones have no
// character that was not written, errors have a location in the document, and line
// ends make no difference.
func FuzzLiterals(f *testing.F) {
	for _, seed := range []string{`a`, `\uD83D`, `\uD83D\uDE00`, `\u{1F600}`, `\u{D83D}`, "a\r\nb", `\"""`, `"`, "\"\"\"\n\"", `\`, "#", "\uFEFF", `" ) { nonsense`} {
		f.Add(seed)
	}
	v := newValidator(graph.Schema(), Limits{}.withDefaults(), true)
	f.Fuzz(func(t *testing.T, inside string) {
		if !utf8.ValidString(inside) {
			return // refused earlier
		}
		for _, text := range []string{`{ user(username: "` + inside + `") { id } }`, `{ user(username: """` + inside + `""") { id } }`} {
			doc, errs := v.document(text)
			lines := strings.Split(normalizeLineEnds(text), "\n")
			for _, e := range errs {
				for _, l := range e.Locations {
					if l.Line < 1 || l.Line > len(lines) || l.Column < 1 || l.Column > utf8.RuneCountInString(lines[l.Line-1])+1 {
						t.Fatalf("%q: got %s at %v, want a place in the document", text, e.Message, l)
					}
				}
			}
			_, again := v.document(strings.ReplaceAll(normalizeLineEnds(text), "\n", "\r\n"))
			if got, want := again.Error(), errs.Error(); got != want {
				t.Fatalf("%q with CRLF: got %s, want %s", text, got, want)
			}
			if doc == nil || strings.Contains(inside, "\uFFFD") || strings.Contains(strings.ToLower(inside), "fffd") {
				continue
			}
			field, _ := doc.Operations[0].SelectionSet[0].(*ast.Field)
			if field != nil && len(field.Arguments) > 0 && strings.Contains(field.Arguments[0].Value.Raw, "\uFFFD") {
				t.Fatalf("%q: got %q, want no U+FFFD", text, field.Arguments[0].Value.Raw)
			}
		}
	})
}
