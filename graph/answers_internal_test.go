package graph

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"chirp/internal/domain"
)

// computing returns a func that computes a response, and counts.
func computing(count *int, response *graphql.Response) func(context.Context) (*graphql.Response, domain.Position) {
	return func(context.Context) (*graphql.Response, domain.Position) {
		*count++
		return response, 7
	}
}

// atOnce has its turn without waiting.
var atOnce = turn{"a payer", func(ctx context.Context) (context.Context, func()) { return ctx, func() {} }}

func text(data string) *graphql.Response { return &graphql.Response{Data: []byte(data)} }

func TestAnAnswerIsComputedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n := newAnswers(), 0
		for range 3 {
			got, through, _ := a.share(t.Context(), answerKey{at: 1}, atOnce, computing(&n, text("x")))
			if string(got.Data) != "x" || through != 7 {
				t.Errorf("got %s through %d, want x through 7", got.Data, through)
			}
		}
		if n != 1 {
			t.Errorf("computed %d times, want once", n)
		}
		for _, other := range []answerKey{{at: 2}, {at: 1, history: 1}, {at: 1, operation: sharedKey{public: true}}} {
			a.share(t.Context(), other, atOnce, computing(&n, text("x")))
		}
		if n != 4 {
			t.Errorf("computed %d times for four keys, want 4", n)
		}
		time.Sleep(answerLifetime)
		a.share(t.Context(), answerKey{at: 1}, atOnce, computing(&n, text("x")))
		if n != 5 {
			t.Error("an old answer was shared")
		}
	})
}

// Those who wait for an answer compute it themselves if the one who began does not.
func TestAnAnswerThatIsNotSharedIsComputedByTheNext(t *testing.T) {
	for name, fail := range map[string]func(leave func()) (*graphql.Response, domain.Position){
		"has left": func(func()) (*graphql.Response, domain.Position) { return nil, 0 },
		"leaves in the middle": func(leave func()) (*graphql.Response, domain.Position) {
			leave()
			return &graphql.Response{Data: []byte(`{"feedChirpAdded":null}`), Errors: gqlerror.List{{Message: "the request was canceled"}}}, 0
		},
		"panics": func(func()) (*graphql.Response, domain.Position) { panic("a bug") },
		"has errors": func(func()) (*graphql.Response, domain.Position) {
			return &graphql.Response{Errors: gqlerror.List{{}}}, 0
		},
		"has extensions": func(func()) (*graphql.Response, domain.Position) {
			return &graphql.Response{Data: []byte("theirs"), Extensions: map[string]any{"a": 1}}, 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, n := newAnswers(), 0
				begun, proceed := make(chan struct{}), make(chan struct{})
				go func() {
					defer func() { _ = recover() }()
					ctx, leave := context.WithCancel(context.Background())
					defer leave()
					a.share(ctx, answerKey{}, atOnce, func(context.Context) (*graphql.Response, domain.Position) {
						close(begun)
						<-proceed
						return fail(leave)
					})
				}()
				<-begun
				for range 3 {
					go func() {
						if got, _, _ := a.share(context.Background(), answerKey{}, atOnce, computing(&n, text("x"))); string(got.Data) != "x" {
							t.Errorf("got %s, want x", got.Data)
						}
					}()
				}
				left, leave := context.WithCancel(context.Background())
				leave()
				if got, _, _ := a.share(left, answerKey{}, atOnce, computing(&n, text("x"))); got != nil {
					t.Errorf("one that left got %s", got.Data)
				}
				close(proceed)
				synctest.Wait()
				if n != 1 {
					t.Errorf("computed %d times, want once", n)
				}
			})
		})
	}
}

func TestAnswersAreBounded(t *testing.T) {
	a, n := newAnswers(), 0
	large := text(strings.Repeat("x", maxAnswerBytes/4))
	for i := range 10 {
		a.share(t.Context(), answerKey{at: domain.Position(i)}, atOnce, computing(&n, large))
	}
	if a.bytes > maxAnswerBytes || a.kept.Len() != 4 {
		t.Errorf("%d answers of %d bytes are kept, want 4", a.kept.Len(), a.bytes)
	}
	a.share(t.Context(), answerKey{history: 1}, atOnce, computing(&n, text(strings.Repeat("x", maxAnswerBytes+1))))
	if a.bytes != 0 || a.kept.Len() != 0 {
		t.Errorf("with one that is too large: %d answers of %d bytes are kept, want none", a.kept.Len(), a.bytes)
	}
	for i := range maxAnswers + 1 {
		a.share(t.Context(), answerKey{at: domain.Position(i)}, atOnce, computing(&n, text(fmt.Sprint(i))))
	}
	if a.kept.Len() != maxAnswers {
		t.Errorf("%d answers are kept, want %d", a.kept.Len(), maxAnswers)
	}
}

// One that waits for its turn does not delay those who have theirs.
func TestNobodyWaitsForTheTurnOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n := newAnswers(), 0
		open := make(chan struct{})
		late := make(chan string)
		go func() {
			got, _, _ := a.share(context.Background(), answerKey{}, turn{"another payer", func(ctx context.Context) (context.Context, func()) {
				<-open
				return ctx, func() {}
			}}, computing(&n, text("late")))
			late <- string(got.Data)
		}()
		synctest.Wait()
		if got, _, _ := a.share(t.Context(), answerKey{}, atOnce, computing(&n, text("x"))); string(got.Data) != "x" {
			t.Errorf("got %s, want x", got.Data)
		}
		close(open)
		if got := <-late; got != "x" || n != 1 {
			t.Errorf("got %s, computed %d times, want x, once", got, n)
		}
	})
}

// Of those who pay together one takes a turn, and the next one if that leaves; the turns
// of other payers are not taken once the answer is being computed.
func TestOneOfEqualSubscribersTakesATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n := newAnswers(), 0
		open := map[string]chan struct{}{"ada": make(chan struct{}), "bob": make(chan struct{})}
		var waiting, taken atomic.Int64
		subscribe := func(ctx context.Context, payer string) {
			a.share(ctx, answerKey{}, turn{payer, func(ctx context.Context) (context.Context, func()) {
				waiting.Add(1)
				defer waiting.Add(-1)
				select {
				case <-open[payer]:
					taken.Add(1)
				case <-ctx.Done():
				}
				return ctx, func() {}
			}}, computing(&n, text("x")))
		}
		first, leave := context.WithCancel(t.Context())
		go subscribe(first, "ada")
		synctest.Wait()
		var others sync.WaitGroup
		for range 50 {
			others.Go(func() { subscribe(t.Context(), "ada") })
			others.Go(func() { subscribe(t.Context(), "bob") })
		}
		synctest.Wait()
		if got := waiting.Load(); got != 2 {
			t.Errorf("%d wait for a turn, want one of each payer", got)
		}
		leave()
		synctest.Wait()
		if got := waiting.Load(); got != 2 {
			t.Errorf("after the first left %d wait for a turn, want one of each payer", got)
		}
		close(open["ada"])
		others.Wait()
		if taken.Load() != 1 || n != 1 || len(a.candidates) != 0 || a.queues.Len() != 0 {
			t.Errorf("%d turns were taken, computed %d times, %d and %d candidates are left; want 1, 1 and none", taken.Load(), n, len(a.candidates), a.queues.Len())
		}
	})
}

func TestOnlyTheCursorIsLeftOutOfWhatIdentifiesAnOperation(t *testing.T) {
	key := func(text, a string) sharedKey {
		document, err := parser.ParseQuery(&ast.Source{Input: text})
		if err != nil {
			t.Fatal(err)
		}
		oc := &graphql.OperationContext{RawQuery: text, Operation: document.Operations[0], Variables: map[string]any{"a": a}}
		return *shareable(t.Context(), oc)
	}
	for text, same := range map[string]bool{
		`subscription($a: String) { f(after: $a) { x } }`:                           true,
		`subscription($a: String) { ... { f(after: $a) { x } } }`:                   true,
		`subscription($a: String) { f(after: $a) { x(after: $a) } }`:                false,
		`subscription($ a: String) { f(after: $ a) { x(after: $a) y(after: $a) } }`: false,
		`subscription($a: String) { f(id: $a) { x } }`:                              false,
	} {
		if got := key(text, "1") == key(text, "2"); got != same {
			t.Errorf("%s with another variable: the same is %t, want %t", text, got, same)
		}
	}
	for other, same := range map[string]bool{
		`subscription { f(after: "2") { x(after: "3") } }`:      true,
		`subscription { f(after: "1") { x(after: "2") } }`:      false,
		`subscription { f(after: "\u0032") { x(after: "2") } }`: false,
	} {
		if got := key(`subscription { f(after: "1") { x(after: "3") } }`, "") == key(other, ""); got != same {
			t.Errorf("%s: the same is %t, want %t", other, got, same)
		}
	}
}
