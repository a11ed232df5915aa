package graph

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

const (
	// maxAnswers and maxAnswerBytes bound the answers that are kept for others.
	maxAnswers     = 10_000
	maxAnswerBytes = 16 << 20
	// answerLifetime is how long an answer is kept. Those who are to get it do so at
	// nearly the same time, unless they have to wait until they have paid.
	answerLifetime = 10 * time.Second
)

// sharedKey identifies an operation among those with equal answers: it is a hash of
// the document, the operation's name, the variables, both without the cursor after which
// it began, and, if the answers depend on them,
// the viewer and its session.
type sharedKey struct {
	hash [sha256.Size]byte
	// public is whether all viewers get the same answers.
	public bool
}

// answerKey identifies an answer: what an operation answers at a position of a history
// of the log.
type answerKey struct {
	operation sharedKey
	history   int64
	at        domain.Position
}

// answers has the newest answers of subscriptions, so that equal subscriptions share
// them: one of them computes the answer and the others wait for it.
type answers struct {
	mu    sync.Mutex
	kept  *simplelru.LRU[answerKey, *answer]
	bytes int // of the answers that are kept
}

// answer is a response that several subscriptions are sent.
type answer struct {
	begun time.Time
	done  chan struct{} // closed once the following are set

	response *graphql.Response // nil if there is none to share
	through  domain.Position   // the checkpoint of the views that it shows
}

func newAnswers() *answers {
	a := &answers{}
	a.kept, _ = simplelru.NewLRU(maxAnswers, func(_ answerKey, one *answer) { a.bytes -= one.size() }) // fails only for a size of 0
	return a
}

// size returns the bytes of an answer.
func (one *answer) size() int {
	if one.response == nil {
		return 0
	}
	return len(one.response.Data)
}

// share returns the response of a key, computing it unless another caller has or does.
// The response must not be changed. begin is called before it is computed, and end
// afterwards; no other caller waits for one that is in begin.
func (a *answers) share(ctx context.Context, key answerKey, begin func(context.Context) (context.Context, func()), compute func(context.Context) (*graphql.Response, domain.Position)) (_ *graphql.Response, through domain.Position, computed bool) {
	for ctx.Err() == nil {
		if response, through, ok := a.await(ctx, key); ok {
			return response, through, false
		}
		if response, through, ok := a.lead(ctx, key, begin, compute); ok {
			return response, through, true
		}
	}
	return nil, 0, false
}

// await waits for the answer of a key, if there is one or another caller is computing
// it.
func (a *answers) await(ctx context.Context, key answerKey) (_ *graphql.Response, through domain.Position, ok bool) {
	a.mu.Lock()
	one, ok := a.kept.Get(key)
	a.mu.Unlock()
	if !ok || time.Since(one.begun) >= answerLifetime {
		return nil, 0, false
	}
	select {
	case <-one.done:
	case <-ctx.Done():
		return nil, 0, false
	}
	if one.response == nil {
		return nil, 0, false
	}
	return &graphql.Response{Data: one.response.Data, Errors: one.response.Errors}, one.through, true
}

// lead computes the answer of a key. It returns false if another caller began before.
func (a *answers) lead(ctx context.Context, key answerKey, begin func(context.Context) (context.Context, func()), compute func(context.Context) (*graphql.Response, domain.Position)) (_ *graphql.Response, through domain.Position, ok bool) {
	ctx, end := begin(ctx)
	defer end()
	one, first := a.join(key)
	if !first {
		return nil, 0, false
	}
	response, through := a.run(ctx, key, one, compute)
	return response, through, true
}

// join returns the answer of a key, and whether the caller must compute it.
func (a *answers) join(key answerKey) (one *answer, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one, ok := a.kept.Get(key); ok && time.Since(one.begun) < answerLifetime {
		return one, false
	}
	a.kept.Remove(key)
	one = &answer{begun: time.Now(), done: make(chan struct{})}
	a.kept.Add(key, one)
	return one, true
}

// run computes an answer, also for those that wait for it. If there is none to share,
// because the caller has left, which its fields may have got as an error, or because it
// has extensions, which are for one caller, one of them computes it next. An answer with
// errors is not kept for those that come later.
func (a *answers) run(ctx context.Context, key answerKey, one *answer, compute func(context.Context) (*graphql.Response, domain.Position)) (response *graphql.Response, through domain.Position) {
	defer close(one.done)
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if response == nil || response.Data == nil || len(response.Extensions) > 0 || ctx.Err() != nil {
			a.forget(key, one)
			return
		}
		if kept, ok := a.kept.Peek(key); ok && kept == one && len(response.Errors) == 0 {
			a.bytes += len(response.Data)
		} else {
			a.forget(key, one)
		}
		one.response, one.through = response, through
		for a.bytes > maxAnswerBytes {
			a.kept.RemoveOldest()
		}
	}()
	return compute(ctx)
}

// forget removes an answer unless there is another one for its key by now.
func (a *answers) forget(key answerKey, one *answer) {
	if kept, ok := a.kept.Peek(key); ok && kept == one {
		a.kept.Remove(key)
	}
}

// shareable returns the key of a subscription operation, or nil if others cannot share
// its answers.
func shareable(ctx context.Context, oc *graphql.OperationContext) *sharedKey {
	text, values := withoutAfter(oc)
	variables, err := json.Marshal(values)
	if err != nil || request.WantsCost(oc) {
		return nil
	}
	var viewer string
	if dependsOnViewer(oc.Operation.SelectionSet, map[string]bool{}) {
		user, _ := auth.Caller(ctx)
		session, _ := auth.CallerSession(ctx)
		viewer = string(user) + " " + string(session[:])
	}
	h := sha256.New()
	for _, part := range []string{text, oc.Operation.Name, string(variables), viewer} {
		_ = binary.Write(h, binary.BigEndian, int64(len(part)))
		_, _ = h.Write([]byte(part))
	}
	return &sharedKey{hash: [sha256.Size]byte(h.Sum(nil)), public: viewer == ""}
}

// withoutAfter returns the text and the variables of a subscription without the cursor
// after which its pushes begin, because answers are the same wherever they began. If it
// is uncertain that nothing else uses the variable, it stays.
func withoutAfter(oc *graphql.OperationContext) (text string, variables map[string]any) {
	text, variables = oc.RawQuery, oc.Variables
	root := rootField(oc.Operation.SelectionSet)
	if root == nil {
		return text, variables
	}
	after := root.Arguments.ForName("after")
	switch {
	case after == nil:
	case after.Value.Kind == ast.StringValue:
		if literal := strconv.Quote(after.Value.Raw); strings.Count(text, literal) == 1 {
			text = strings.Replace(text, literal, "", 1)
		}
	case after.Value.Kind == ast.Variable && strings.Count(text, "$"+after.Value.Raw) == 2 && !dollarApart.MatchString(text):
		variables = maps.Clone(variables)
		delete(variables, after.Value.Raw)
	}
	return text, variables
}

// dollarApart matches a dollar sign that the name of a variable does not follow at once.
var dollarApart = regexp.MustCompile(`\$[^_A-Za-z]`)

// rootField returns the first root field of a subscription, which has only one.
func rootField(set ast.SelectionSet) *ast.Field {
	for _, sel := range set {
		var found *ast.Field
		switch sel := sel.(type) {
		case *ast.Field:
			return sel
		case *ast.InlineFragment:
			found = rootField(sel.SelectionSet)
		case *ast.FragmentSpread:
			if sel.Definition != nil {
				found = rootField(sel.Definition.SelectionSet)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// dependsOnViewer reports whether the answer to selections may differ between viewers.
// seen are the fragments that were visited.
func dependsOnViewer(set ast.SelectionSet, seen map[string]bool) bool {
	for _, sel := range set {
		depends := false
		switch sel := sel.(type) {
		case *ast.Field:
			depends = viewerFields[sel.Name] || dependsOnViewer(sel.SelectionSet, seen)
		case *ast.InlineFragment:
			depends = dependsOnViewer(sel.SelectionSet, seen)
		case *ast.FragmentSpread:
			if !seen[sel.Name] && sel.Definition != nil {
				seen[sel.Name] = true
				depends = dependsOnViewer(sel.Definition.SelectionSet, seen)
			}
		}
		if depends {
			return true
		}
	}
	return false
}

// viewerFields are the names of the fields below subscriptions that depend on who is
// asking.
var viewerFields = map[string]bool{"viewerFollows": true, "sessions": true}
