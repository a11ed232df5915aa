package guard

import (
	"bytes"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

func TestTheCacheOfAnswersIsBounded(t *testing.T) {
	answers := newIntrospection().answers
	answer := bytes.Repeat([]byte{'x'}, maxCachedAnswer-perCachedAnswer)
	for i := range 100 {
		answers.add(answerKey{byte(i)}, answer)
	}
	if n := answers.byKey.Len(); n != maxCachedAnswers/maxCachedAnswer || answers.size > maxCachedAnswers {
		t.Errorf("%d answers of %d bytes are cached, want %d", n, answers.size, maxCachedAnswers/maxCachedAnswer)
	}
	if answers.add(answerKey{255}, append(answer, 'x')); answers.byKey.Contains(answerKey{255}) {
		t.Error("an answer that is too large is cached")
	}
}

// TestManySmallAnswersAreBounded caches answers that are as small as they may be.
func TestManySmallAnswersAreBounded(t *testing.T) {
	answers := newIntrospection().answers
	for i := range 10_000 {
		answers.add(answerKey{byte(i), byte(i >> 8)}, []byte("{}"))
	}
	if n := answers.byKey.Len(); n > maxCachedAnswers/perCachedAnswer {
		t.Errorf("%d answers are cached, want at most %d", n, maxCachedAnswers/perCachedAnswer)
	}
}

// TestOnlyAnswersAboutTheSchemaAreCached includes __typename alone, which any client
// can ask for by any number of documents.
func TestOnlyAnswersAboutTheSchemaAreCached(t *testing.T) {
	for text, want := range map[string]bool{
		`{ __schema { __typename } }`: true, `{ __typename a: __type(name: "User") { name } }`: true, `{ ... { ... { __schema { __typename } } } }`: true,
		`{ __typename }`: false, `{ a: __typename ... { __typename } }`: false, `{ __schema { __typename } ... { viewer { id } } }`: false,
	} {
		document, err := parser.ParseQuery(&ast.Source{Input: text})
		if err != nil {
			t.Fatal(err)
		}
		if got := asksForSchemaOnly(document.Operations[0].SelectionSet); got != want {
			t.Errorf("%s: got %t, want %t", text, got, want)
		}
	}
}
