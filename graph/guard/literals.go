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

// lineFeeds returns a document with each of its line ends, LF, CRLF or CR, as
// one LF. It has the same tokens at the same lines and columns, because a line
// end stands between tokens, or in a block string, where the language reads
// each as an LF. The parser counts the CR and the LF of a CRLF as characters of
// the next line.
func lineFeeds(text string) string {
	if !strings.Contains(text, "\r") {
		return text
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// literal is a string literal of a document, as far as the parser reads it.
type literal struct {
	begin gqlerror.Location // of its first quote
	told  gqlerror.Location // where the parser says that it begins
	whole bool
	end   gqlerror.Location // if it is not whole, of what is wrong with it

	half   string // its first escape of half a surrogate pair, if it has one
	halfAt gqlerror.Location
}

// scan walks through a document to its string literals. Lines and columns begin
// at 1, and a column is a Unicode code point.
type scan struct {
	left      string
	line      int
	runes     int // code points passed
	lineStart int // those before the line
}

// literals calls yield with each string literal of a document that has been
// through lineFeeds, until yield returns false or a literal is not whole.
func literals(text string, yield func(literal) bool) {
	for s := (&scan{left: text, line: 1}); s.left != ""; {
		switch {
		case s.left[0] == '#':
			line, _, _ := strings.Cut(s.left, "\n")
			s.skip(len(line))
		case s.left[0] != '"':
			s.skip(1)
		default:
			read := s.quoted
			if strings.HasPrefix(s.left, `"""`) {
				read = s.block
			}
			l := read()
			if l.end = s.at(); !yield(l) || !l.whole {
				return
			}
		}
	}
}

// at returns the place that the scan has reached.
func (s *scan) at() gqlerror.Location {
	return gqlerror.Location{Line: s.line, Column: s.runes - s.lineStart + 1}
}

// skip passes n bytes.
func (s *scan) skip(n int) {
	for _, c := range []byte(s.left[:n]) {
		if utf8.RuneStart(c) {
			s.runes++
		}
		if c == '\n' {
			s.line++
			s.lineStart = s.runes
		}
	}
	s.left = s.left[n:]
}

// quoted reads a literal of one line.
func (s *scan) quoted() (l literal) {
	l.begin = s.at()
	s.skip(1)
	l.told = s.at()
	for s.left != "" && s.left[0] != '\n' {
		switch s.left[0] {
		case '"':
			s.skip(1)
			l.whole = true
			return l
		case '\\':
			n, is := escape(s.left)
			if is == noEscape {
				return l
			}
			if is == halfEscape && l.half == "" {
				l.half, l.halfAt = s.left[:n], s.at()
			}
			s.skip(n)
		default:
			s.skip(1)
		}
	}
	return l
}

// block reads a literal in triple quotes, whose one escape is that of triple
// quotes.
func (s *scan) block() (l literal) {
	l.begin = s.at()
	s.skip(3)
	content := s.runes
	for s.left != "" {
		switch {
		case strings.HasPrefix(s.left, `\"""`):
			s.skip(4)
		case strings.HasPrefix(s.left, `"""`):
			// The parser counts from the line that the literal ends in.
			l.told = gqlerror.Location{Line: s.line, Column: content - s.lineStart + 1}
			s.skip(len(s.left) - len(strings.TrimLeft(s.left, `"`)))
			l.whole = true
			return l
		default:
			s.skip(1)
		}
	}
	return l
}

// meaning is what a backslash and what follows it stand for.
type meaning int

const (
	noEscape   meaning = iota // nothing: a syntax error
	halfEscape                // half a surrogate pair: one, too
	fullEscape                // a character
)

// escape reads the escape at the beginning of a text, and returns its length in
// bytes. A surrogate is half a character but in a pair of escapes of four
// digits, the high one first.
func escape(text string) (n int, is meaning) {
	switch {
	case strings.HasPrefix(text, `\u{`):
		return bracedEscape(text)
	case strings.HasPrefix(text, `\u`):
		return unitEscape(text)
	case len(text) > 1 && strings.IndexByte(`"\/bfnrt`, text[1]) >= 0:
		return 2, fullEscape
	default:
		return 0, noEscape
	}
}

// unitEscape reads an escape such as \u00e9, or two of a pair.
func unitEscape(text string) (n int, is meaning) {
	unit, ok := codeUnit(text)
	switch {
	case !ok:
		return 0, noEscape
	case !utf16.IsSurrogate(unit):
		return escapeLen, fullEscape
	}
	low, _ := codeUnit(text[escapeLen:])
	if utf16.DecodeRune(unit, low) == utf8.RuneError {
		return escapeLen, halfEscape
	}
	return 2 * escapeLen, fullEscape
}

// escapeLen is the length of an escape such as \u00e9.
const escapeLen = 6

// codeUnit reads such an escape at the beginning of a text.
func codeUnit(text string) (rune, bool) {
	if len(text) < escapeLen || !strings.HasPrefix(text, `\u`) {
		return 0, false
	}
	return hexadecimal(text[2:escapeLen])
}

// hexadecimal reads up to eight digits, and nothing but digits, of a number
// that a rune can hold.
func hexadecimal(digits string) (rune, bool) {
	n, err := strconv.ParseUint(digits, 16, 31)
	return rune(n), err == nil
}

// bracedEscape reads an escape such as \u{1F600}, of one to eight digits.
func bracedEscape(text string) (n int, is meaning) {
	const begin, digits = len(`\u{`), 8
	hex, _, closed := strings.Cut(text[begin:min(len(text), begin+digits+1)], "}")
	r, ok := hexadecimal(hex)
	if !closed || !ok || !utf8.ValidRune(r) {
		return 0, noEscape
	}
	return begin + len(hex) + len("}"), fullEscape
}

// halfCharacter returns the error about a document's first escape of half a
// surrogate pair, nil if there is none. The parser puts U+FFFD in its place.
func halfCharacter(text string) (err *gqlerror.Error) {
	if !strings.Contains(text, `\u`) {
		return nil
	}
	literals(text, func(l literal) bool {
		if l.half != "" {
			err = unparsable("Invalid Unicode escape sequence: "+l.half+", half a surrogate pair.", l.halfAt)
		}
		return err == nil
	})
	return err
}

// relocate puts errors about string literals where the literals begin, and
// those about an escape where that is.
func relocate(text string, errs ...*gqlerror.Error) {
	told := map[gqlerror.Location][]*gqlerror.Location{}
	for _, err := range errs {
		for i := range err.Locations {
			l := &err.Locations[i]
			told[*l] = append(told[*l], l)
		}
	}
	if len(told) == 0 {
		return
	}
	literals(text, func(l literal) bool {
		from, to := l.told, l.begin
		if !l.whole {
			from, to = l.end, l.end
			from.Column++
		}
		for _, l := range told[from] {
			*l = to
		}
		return true
	})
}

// lexed returns the lexer's error about a place, nil if it has none. The parser
// says of such a place only that a token there is invalid, and the lexer quotes
// the first byte of a character as if that were one.
func lexed(text string, place gqlerror.Location) *gqlerror.Error {
	for l := lexer.New(&ast.Source{Input: text}); ; {
		token, err := l.ReadToken()
		told := gqlerror.WrapIfUnwrapped(err)
		switch {
		case told != nil && slices.Equal(told.Locations, []gqlerror.Location{place}):
			told.Message = wholeCharacter(told.Message, text, place)
			return told
		case told != nil || token.Kind == lexer.EOF || token.Pos.Line > place.Line:
			return nil
		}
	}
}

// wholeCharacter returns the lexer's message about a place with the character
// that stands there.
func wholeCharacter(message, text string, place gqlerror.Location) string {
	s := &scan{left: text, line: 1}
	for s.left != "" && s.at() != place {
		s.skip(1)
	}
	if s.left == "" || s.left[0] < utf8.RuneSelf {
		return message
	}
	r, _ := utf8.DecodeRuneInString(s.left)
	return strings.Replace(message, `"`+string(rune(s.left[0]))+`"`, `"`+string(r)+`"`, 1)
}
