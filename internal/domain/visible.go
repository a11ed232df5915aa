package domain

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// MaxMarks is the most combining marks in a row that a chirp may have in
// normalization form KD, in which é has one. It is the limit of Unicode's
// stream-safe text format (UAX #15), beyond which the library inserts characters
// when it normalizes.
const MaxMarks = 30

// tooManyMarks reports whether a text has more than MaxMarks marks in a row. The
// character that the library inserts is itself a mark.
func tooManyMarks(s string) bool {
	row := 0
	for _, r := range normal(norm.NFKD, s) {
		if !unicode.Is(unicode.M, r) {
			row = 0
		} else if row++; row > MaxMarks {
			return true
		}
	}
	return false
}

// normal returns a text in a normalization form. The library counts some Hangul
// letters as marks, and inserts U+034F after 30 in a row. So normal normalizes
// the text in parts, split where one of those letters cannot combine.
func normal(form norm.Form, s string) string {
	var b strings.Builder
	start, before := 0, rune(-1)
	for i, r := range s {
		if apart(before, r) {
			b.WriteString(form.String(s[start:i]))
			start = i
		}
		before = r
	}
	b.WriteString(form.String(s[start:]))
	return b.String()
}

// apart reports whether one of two adjacent characters is such a letter and does
// not combine with the other one. A vowel combines with an initial consonant
// before it, a final consonant with a vowel or a syllable before it, and neither
// with a mark.
func apart(before, r rune) bool {
	initial := func(r rune) bool { return 0x1100 <= r && r <= 0x1112 }
	vowel := func(r rune) bool { return 0x1161 <= r && r <= 0x1175 }
	final := func(r rune) bool { return 0x11A8 <= r && r <= 0x11C2 }
	syllable := func(r rune) bool { return 0xAC00 <= r && r <= 0xD7A3 }
	compatible := func(r rune) bool { return 0x3131 <= r && r <= 0x318E || 0xFFA0 <= r && r <= 0xFFDC } // never combines
	switch {
	case vowel(r):
		return !initial(before)
	case final(r):
		return !vowel(before) && !syllable(before)
	default:
		return compatible(r) || compatible(before) || vowel(before) || final(before) || syllable(before)
	}
}

// invisible reports whether a character displays as nothing when it stands
// alone: white space, control and format characters, fillers, marks without a
// letter, blanks and noncharacters. An unassigned code point counts as visible,
// because newer software may show it as a letter or an emoji.
func invisible(r rune) bool {
	switch r {
	case 0x2800, // Braille pattern blank
		0x13441, 0x13442, // Egyptian hieroglyph blanks
		0x1D159: // musical symbol null notehead
		return true
	}
	return unicode.In(r, unicode.Z, unicode.M, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point,
		unicode.Noncharacter_Code_Point) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}
