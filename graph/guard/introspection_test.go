package guard_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

// left returns what is left of a caller's cost budget after an operation.
func left(t *testing.T, w *graphtest.World, token, operation string) float64 {
	t.Helper()
	got := askCost(w, token, operation, asked, nil)
	left, ok := graphtest.At(got.Extensions["cost"], "throttleStatus.currentlyAvailable").(float64)
	if !ok {
		t.Fatalf("got %.500s, want the cost", got.Body)
	}
	return left
}

func TestTheSchemaIsExpensiveOnlyOnce(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada, bob := w.Person("ada"), w.Person("bob")
		if spent := 50_000 - left(t, w, ada.Token, graphtest.UsualIntrospection); spent < 1500 {
			t.Errorf("the first answer cost %v, want what it is worth", spent)
		}
		if spent := 50_000 - left(t, w, bob.Token, graphtest.UsualIntrospection); spent > 500 {
			t.Errorf("the cached answer cost %v, want little", spent)
		}
	}, func(c *api.Config) { c.Guard.RateLimit = 20 })
}

func TestAnswersAboutTheSchemaStayTheSame(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	const byName = `query($n: String!) { __type(name: $n) { name } }`
	const both = `query One { __type(name: "User") { name } } query Two { __type(name: "Chirp") { name } }`
	for range 2 { // from the schema, and from the cache
		for _, name := range []string{"User", "Chirp"} {
			if got := w.Ask("", byName, map[string]any{"n": name}); got.At("__type.name") != name {
				t.Errorf("got %s, want %s", got.Body, name)
			}
		}
		for operation, want := range map[string]string{"One": "User", "Two": "Chirp"} {
			got := w.Raw(http.MethodPost, "", "application/json", graphtest.Marshal(map[string]any{"query": both, "operationName": operation}), nil)
			if got.At("__type.name") != want {
				t.Errorf("operation %s: got %s, want %s", operation, got.Body, want)
			}
		}
		for _, who := range []struct{ name, token string }{{"ada", ada.Token}, {"bob", bob.Token}} {
			got := w.Must(who.token, `{ __typename ...f } fragment f on Query { viewer { username } }`, nil)
			if got.At("viewer.username") != who.name {
				t.Errorf("beside the schema: got %s, want %s", got.Body, who.name)
			}
		}
		c := w.Socket(t, "")
		c.Subscribe("s", `{ __typename }`)
		c.Expect("next", "s", `{"data":{"__typename":"Query"}}`)
		c.Expect("complete", "s", "")
	}
}

// TestNewQuestionsAboutTheSchemaAreLimited asks for the whole schema by another
// document each time.
func TestNewQuestionsAboutTheSchemaAreLimited(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 4 }) // 10,000 at once, 2,000 a second
	answered := 0
	for i := range 100 {
		got := w.Ask("", strings.Replace(graphtest.UsualIntrospection, "__schema", fmt.Sprintf("a%d: __schema", i), 1), nil)
		if got.Code() == "RATE_LIMITED" {
			break
		}
		answered++
	}
	if answered < 2 || answered > 20 {
		t.Errorf("%d questions were answered, want a few", answered)
	}
}
