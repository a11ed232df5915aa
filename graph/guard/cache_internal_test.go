package guard

import (
	"bytes"
	"fmt"
	"testing"
)

func TestTheCacheOfAnswersIsBounded(t *testing.T) {
	answers := newIntrospection().answers
	answer := bytes.Repeat([]byte{'x'}, maxCachedAnswer)
	for i := range 100 {
		answers.add(answerKey{operation: fmt.Sprint(i)}, answer)
	}
	if n := answers.byKey.Len(); n != maxCachedAnswers/maxCachedAnswer || answers.size > maxCachedAnswers {
		t.Errorf("%d answers of %d bytes are cached, want %d", n, answers.size, maxCachedAnswers/maxCachedAnswer)
	}
	if answers.add(answerKey{operation: "large"}, append(answer, 'x')); answers.byKey.Contains(answerKey{operation: "large"}) {
		t.Error("an answer that is too large is cached")
	}
}
