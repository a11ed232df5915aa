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

// person is a person of the network. The id is known after the registration.
type person struct {
	id     domain.UserID
	name   string
	topics []string
	texts  []string // oldest first
}

func (p person) caresFor(topic string) bool { return slices.Contains(p.topics, topic) }

// parsePeople parses people.txt. Each person is a line with @, the name and the
// topics, followed by lines with texts.
func parsePeople(text string) ([]person, error) {
	var people []person
	for _, l := range content(text) {
		if head, ok := strings.CutPrefix(l, "@"); ok {
			words := strings.Fields(head)
			people = append(people, person{name: words[0], topics: words[1:]})
			continue
		}
		if len(people) == 0 {
			return nil, fmt.Errorf("the text %q has no author", l)
		}
		last := &people[len(people)-1]
		last.texts = append(last.texts, l)
	}
	return people, nil
}

// line is a pattern for texts about a topic.
type line struct{ topic, pattern string }

// parseLines parses live.txt. Each line is a topic, a colon and a pattern.
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

// content returns the lines that are neither empty nor comments.
func content(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return l == "" || strings.HasPrefix(l, "#") })
}

var choice = regexp.MustCompile(`\{([^}]*)\}`)

// text returns the pattern with one alternative of each choice, at random.
func (l line) text(r *rand.Rand) string {
	return choice.ReplaceAllStringFunc(l.pattern, func(c string) string {
		of := strings.Split(strings.Trim(c, "{}"), "|")
		return of[r.IntN(len(of))]
	})
}
