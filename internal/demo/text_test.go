package demo

import (
	"math/rand/v2"
	"strings"
	"testing"

	"chirp/internal/domain"
)

func TestPeopleHaveNamesTopicsAndTexts(t *testing.T) {
	people, err := parsePeople(peopleText)
	if err != nil || len(people) != 25 {
		t.Fatalf("got %d people and error %v, want 25", len(people), err)
	}
	seen, texts := map[string]bool{}, 0
	for _, p := range people {
		if _, err := domain.ParseUsername(p.name); err != nil || seen[strings.ToLower(p.name)] || len(p.topics) == 0 {
			t.Errorf("%q: error %v, taken %v, topics %v", p.name, err, seen[strings.ToLower(p.name)], p.topics)
		}
		seen[strings.ToLower(p.name)] = true
		for _, text := range p.texts {
			if _, err := domain.ParseContent(text); err != nil || seen[text] {
				t.Errorf("%s: %q: error %v, posted before %v", p.name, text, err, seen[text])
			}
			seen[text], texts = true, texts+1
		}
	}
	if texts < 150 || !seen[strings.ToLower(Username)] {
		t.Errorf("got %d texts, and %s is there: %v", texts, Username, seen[strings.ToLower(Username)])
	}
}

func TestLinesBecomeTextsWithAnAuthor(t *testing.T) {
	people, _ := parsePeople(peopleText)
	lines, err := parseLines(liveText)
	if err != nil || len(lines) < 30 {
		t.Fatalf("got %d lines and error %v", len(lines), err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, l := range lines {
		cared := 0
		for _, p := range people {
			if p.caresFor(l.topic) {
				cared++
			}
		}
		if cared == 0 {
			t.Errorf("no one cares for %s", l.topic)
		}
		for range 50 {
			text := l.text(r)
			if _, err := domain.ParseContent(text); err != nil || strings.ContainsAny(text, "{|}") || strings.Contains(text, "  ") {
				t.Errorf("the line %q becomes %q, error %v", l.pattern, text, err)
			}
		}
	}
}

func TestDamagedTextsAreRefused(t *testing.T) {
	if _, err := parsePeople("A text of nobody"); err == nil {
		t.Error("a text before the first name was taken")
	}
	if _, err := parseLines("no topic"); err == nil {
		t.Error("a line without a topic was taken")
	}
}
