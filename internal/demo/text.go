package demo

import (
	_ "embed" // for the texts
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"chirp/internal/domain"
)

//go:embed people.txt
var peopleText string

//go:embed live.txt
var liveText string

// person is one of the people. The id is known once they have registered.
type person struct {
	id     domain.UserID
	name   string
	topics []string
	texts  []string // the oldest first
}

func (p person) cares(topic string) bool { return slices.Contains(p.topics, topic) }

// parsePeople reads people.txt: a line with @, the name and the topics, and the
// texts below it.
func parsePeople(text string) ([]person, error) {
	var people []person
	for _, l := range content(text) {
		if head, ok := strings.CutPrefix(l, "@"); ok {
			words := strings.Fields(head)
			people = append(people, person{name: words[0], topics: words[1:]})
			continue
		}
		if len(people) == 0 {
			return nil, fmt.Errorf("the text %q is nobody's", l)
		}
		last := &people[len(people)-1]
		last.texts = append(last.texts, l)
	}
	return people, nil
}

// line is a pattern of texts about a topic.
type line struct{ topic, pattern string }

// parseLines reads live.txt: a topic, a colon and a pattern on each line.
func parseLines(text string) ([]line, error) {
	var lines []line
	for _, l := range content(text) {
		topic, pattern, ok := strings.Cut(l, ": ")
		if !ok {
			return nil, fmt.Errorf("the line %q has no topic", l)
		}
		lines = append(lines, line{topic, pattern})
	}
	return lines, nil
}

// content gives the lines that are not empty and no remarks.
func content(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return l == "" || strings.HasPrefix(l, "#") })
}

var choice = regexp.MustCompile(`\{([^}]*)\}`)

// text takes one of each choice in the pattern.
func (l line) text(r *rand.Rand) string {
	return choice.ReplaceAllStringFunc(l.pattern, func(c string) string {
		of := strings.Split(strings.Trim(c, "{}"), "|")
		return of[r.IntN(len(of))]
	})
}
