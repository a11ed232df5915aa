package guard

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
)

// normalizeLineEnds returns a document with each of its line ends, LF, CRLF or CR,
// as an LF. The result has the same tokens at the same lines and columns, because a
// line end is either between tokens or in a block string, where GraphQL reads each
// as an LF. Without it the parser counts wrong: it takes the CR and the LF of a CRLF
// for characters of the next line.
func normalizeLineEnds(text string) string {
	if !strings.Contains(text, "\r") {
		return text
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// stringLiteral is a string literal of a document, as far as the parser reads it.
type stringLiteral struct {
	begin      gqlerror.Location // of the opening quote
	reported   gqlerror.Location // where the parser reports that it begins
	terminated bool
	end        gqlerror.Location // if it is not terminated, where it breaks off

	surrogate   string // its first escaped lone surrogate, or ""
	surrogateAt gqlerror.Location
}

// scanner scans a document for string literals. Lines and columns start at 1, and a
// column is a Unicode code point.
type scanner struct {
	rest      string
	line      int
	runes     int // before rest
	lineStart int // runes before the line
}

// scanLiterals calls yield with each string literal of a document with normalized
// line ends, until yield returns false or a literal is not terminated.
func scanLiterals(text string, yield func(stringLiteral) bool) {
	for s := (&scanner{rest: text, line: 1}); s.rest != ""; {
		switch {
		case s.rest[0] == '#':
			line, _, _ := strings.Cut(s.rest, "\n")
			s.skip(len(line))
		case s.rest[0] != '"':
			s.skip(1)
		default:
			read := s.quotedString
			if strings.HasPrefix(s.rest, `"""`) {
				read = s.blockString
			}
			l := read()
			if l.end = s.location(); !yield(l) || !l.terminated {
				return
			}
		}
	}
}

// location returns the location of rest.
func (s *scanner) location() gqlerror.Location {
	return gqlerror.Location{Line: s.line, Column: s.runes - s.lineStart + 1}
}

// skip skips n bytes.
func (s *scanner) skip(n int) {
	for _, c := range []byte(s.rest[:n]) {
		if utf8.RuneStart(c) {
			s.runes++
		}
		if c == '\n' {
			s.line++
			s.lineStart = s.runes
		}
	}
	s.rest = s.rest[n:]
}

// quotedString scans a string literal in single quotes, which ends with its line.
func (s *scanner) quotedString() (l stringLiteral) {
	l.begin = s.location()
	s.skip(1)
	l.reported = s.location()
	for s.rest != "" && s.rest[0] != '\n' {
		switch s.rest[0] {
		case '"':
			s.skip(1)
			l.terminated = true
			return l
		case '\\':
			n, kind := scanEscape(s.rest)
			if kind == invalidEscape {
				return l
			}
			if kind == surrogateEscape && l.surrogate == "" {
				l.surrogate, l.surrogateAt = s.rest[:n], s.location()
			}
			s.skip(n)
		default:
			s.skip(1)
		}
	}
	return l
}

// blockString scans a string literal in triple quotes, in which only triple quotes
// can be escaped.
func (s *scanner) blockString() (l stringLiteral) {
	l.begin = s.location()
	s.skip(3)
	content := s.runes
	for s.rest != "" {
		switch {
		case strings.HasPrefix(s.rest, `\"""`):
			s.skip(4)
		case strings.HasPrefix(s.rest, `"""`):
			// The parser reports the line in which the literal ends.
			l.reported = gqlerror.Location{Line: s.line, Column: content - s.lineStart + 1}
			s.skip(len(s.rest) - len(strings.TrimLeft(s.rest, `"`)))
			l.terminated = true
			return l
		default:
			s.skip(1)
		}
	}
	return l
}

// escapeKind is what an escape sequence stands for.
type escapeKind int

const (
	invalidEscape   escapeKind = iota // nothing, which is a syntax error
	surrogateEscape                   // a lone surrogate, which is a syntax error too
	characterEscape                   // a character
)

// scanEscape scans the escape sequence at the beginning of a text, and returns its
// length in bytes. Two escapes of four digits stand for one character if they are a
// surrogate pair.
func scanEscape(text string) (n int, kind escapeKind) {
	switch {
	case strings.HasPrefix(text, `\u{`):
		return scanBracedEscape(text)
	case strings.HasPrefix(text, `\u`):
		return scanUnitEscape(text)
	case len(text) > 1 && strings.IndexByte(`"\/bfnrt`, text[1]) >= 0:
		return 2, characterEscape
	default:
		return 0, invalidEscape
	}
}

// scanUnitEscape scans an escape such as \u00e9, or two that are a surrogate pair.
func scanUnitEscape(text string) (n int, kind escapeKind) {
	unit, ok := codeUnit(text)
	switch {
	case !ok:
		return 0, invalidEscape
	case !utf16.IsSurrogate(unit):
		return escapeLen, characterEscape
	}
	low, _ := codeUnit(text[escapeLen:])
	if utf16.DecodeRune(unit, low) == utf8.RuneError {
		return escapeLen, surrogateEscape
	}
	return 2 * escapeLen, characterEscape
}

// escapeLen is the length of an escape such as \u00e9.
const escapeLen = 6

// codeUnit returns the value of such an escape at the beginning of a text.
func codeUnit(text string) (rune, bool) {
	if len(text) < escapeLen || !strings.HasPrefix(text, `\u`) {
		return 0, false
	}
	return parseHex(text[2:escapeLen])
}

// parseHex parses up to eight hexadecimal digits as a rune.
func parseHex(digits string) (rune, bool) {
	n, err := strconv.ParseUint(digits, 16, 31)
	return rune(n), err == nil
}

// scanBracedEscape scans an escape such as \u{1F600}, of one to eight digits.
func scanBracedEscape(text string) (n int, kind escapeKind) {
	const begin, digits = len(`\u{`), 8
	hex, _, closed := strings.Cut(text[begin:min(len(text), begin+digits+1)], "}")
	r, ok := parseHex(hex)
	if !closed || !ok || !utf8.ValidRune(r) {
		return 0, invalidEscape
	}
	return begin + len(hex) + len("}"), characterEscape
}

// surrogateError returns the error about a document's first escaped lone surrogate,
// or nil if there is none. The parser would replace it with U+FFFD.
func surrogateError(text string) (err *gqlerror.Error) {
	if !strings.Contains(text, `\u`) {
		return nil
	}
	scanLiterals(text, func(l stringLiteral) bool {
		if l.surrogate != "" {
			err = parseFailed("Invalid Unicode escape sequence: "+l.surrogate+", a lone surrogate.", l.surrogateAt)
		}
		return err == nil
	})
	return err
}

// relocate corrects the locations of errors about string literals, to where the
// literal or the wrong escape begins.
func relocate(text string, errs ...*gqlerror.Error) {
	reported := map[gqlerror.Location][]*gqlerror.Location{}
	for _, err := range errs {
		for i := range err.Locations {
			l := &err.Locations[i]
			reported[*l] = append(reported[*l], l)
		}
	}
	if len(reported) == 0 {
		return
	}
	scanLiterals(text, func(l stringLiteral) bool {
		from, to := l.reported, l.begin
		if !l.terminated {
			from, to = l.end, l.end
			from.Column++
		}
		for _, l := range reported[from] {
			*l = to
		}
		return true
	})
}

// lexerError returns the lexer's error about a location, or nil if it has none. The
// parser says only that the token there is invalid. The lexer says more, but quotes
// the first byte of a character in place of the character.
func lexerError(text string, place gqlerror.Location) *gqlerror.Error {
	for l := lexer.New(&ast.Source{Input: text}); ; {
		token, err := l.ReadToken()
		lexed := gqlerror.WrapIfUnwrapped(err)
		switch {
		case lexed != nil && slices.Equal(lexed.Locations, []gqlerror.Location{place}):
			lexed.Message = quoteCharacter(lexed.Message, text, place)
			return lexed
		case lexed != nil || token.Kind == lexer.EOF || token.Pos.Line > place.Line:
			return nil
		}
	}
}

// quoteCharacter returns the lexer's message about a location, corrected to quote
// the character there.
func quoteCharacter(message, text string, place gqlerror.Location) string {
	s := &scanner{rest: text, line: 1}
	for s.rest != "" && s.location() != place {
		s.skip(1)
	}
	if s.rest == "" || s.rest[0] < utf8.RuneSelf {
		return message
	}
	r, _ := utf8.DecodeRuneInString(s.rest)
	return strings.Replace(message, `"`+string(rune(s.rest[0]))+`"`, `"`+string(r)+`"`, 1)
}
