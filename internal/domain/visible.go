package domain

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// MaxMarks is how many combining marks may follow each other in a chirp, in its
// normal form KD, where é has one. It is the bound of Unicode's stream-safe text
// (UAX #15), beyond which normalisation by the library adds characters.
const MaxMarks = 30

// tooManyMarks reports whether a text has a longer row of marks. What the library adds to a text is itself a mark.
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

// normal returns a text in a normal form. The library counts some letters of
// Hangul as marks, and adds U+034F after 30 in a row, so a text is normalised in
// parts that end where one of those letters cannot combine.
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

// apart reports whether one of two neighbours is such a letter, and does not
// combine with the other: a vowel does with an initial consonant before it, and
// a final consonant with a vowel or a syllable, and none does with a mark.
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

// invisible reports whether a character shows nothing where it stands alone:
// white space, control and format characters, fillers, marks without a letter,
// blanks, and what will never be a character. One that is not assigned yet may
// be a letter or an emoji to who reads it, so it counts as visible.
func invisible(r rune) bool {
	switch r {
	case 0x2800, // the Braille pattern without dots
		0x13441, 0x13442, // blanks among hieroglyphs
		0x1D159: // a note without its head
		return true
	}
	return unicode.In(r, unicode.Z, unicode.M, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point,
		unicode.Noncharacter_Code_Point) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}
