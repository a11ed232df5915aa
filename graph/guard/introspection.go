package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// introspectedPerUnit is how many values of the schema, by the estimate, cost 1. The
// usual query of tools costs about 2,000.
const introspectedPerUnit = 40

// maxCachedAnswer and maxCachedAnswers are the most bytes that a cached answer about
// the schema has, and that all of them have. The usual one has about 50 kB. Each counts
// perCachedAnswer bytes more than it has, so that the number of small ones is bounded.
const (
	maxCachedAnswer  = 512 << 10
	maxCachedAnswers = 4 << 20
	perCachedAnswer  = 4 << 10
)

// answerKey identifies an answer about the schema: it is a hash of all that the answer
// depends on, the document, the operation's name and the variables. It must not refer
// to the document's text, which would be kept with the answer.
type answerKey hash

// introspection caches the answers of operations that ask for the schema only, as
// tools do when they start.
type introspection struct{ answers *cache[answerKey, []byte] }

func newIntrospection() introspection {
	return introspection{newCache[answerKey](maxCachedAnswer, maxCachedAnswers, func(answer []byte) int { return len(answer) + perCachedAnswer })}
}

// answeredKey is the extension of an operation's statistics that is set when it has had
// its answer about the schema: transports ask for responses until there are no more.
const answeredKey = "ChirpAnswered"

// answer is the response middleware that takes an answer about the schema from the
// cache, or adds it.
func (i introspection) answer(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if !graphql.HasOperationContext(ctx) {
		return next(ctx)
	}
	oc := graphql.GetOperationContext(ctx)
	key, ok := keyOf(oc)
	switch {
	case !ok:
		return next(ctx)
	case oc.Stats.GetExtension(answeredKey) != nil:
		return nil
	}
	oc.Stats.SetExtension(answeredKey, true)
	if cached, found := i.answers.get(key); found {
		return &graphql.Response{Data: cached}
	}
	response := next(ctx)
	if response != nil && len(response.Errors) == 0 {
		i.answers.add(key, bytes.Clone(response.Data))
	}
	return response
}

// cached returns the size of an operation's answer, if it is cached.
func (i introspection) cached(oc *graphql.OperationContext) (size int, ok bool) {
	key, ok := keyOf(oc)
	if !ok {
		return 0, false
	}
	answer, ok := i.answers.get(key)
	return len(answer), ok
}

// keyOf returns the key of an operation that asks for the schema only, and false for
// any other.
func keyOf(oc *graphql.OperationContext) (answerKey, bool) {
	found, ok := oc.Stats.GetExtension(documentKey).(*document)
	if !ok || oc.Operation == nil || oc.Operation.Operation != ast.Query || !asksForSchemaOnly(oc.Operation.SelectionSet) {
		return answerKey{}, false
	}
	rest, err := json.Marshal([]any{oc.Operation.Name, oc.Variables})
	return sha256.Sum256(append(found.hash[:], rest...)), err == nil
}

// asksForSchemaOnly reports whether all root fields are those of introspection, and
// one of them reads the schema: __typename alone is not worth caching. The document
// is valid, so that its fragments end.
func asksForSchemaOnly(set ast.SelectionSet) bool {
	schema, other := introspected(set)
	return schema && !other
}

// introspected reports whether selections have fields that read the schema, and fields
// that are not of introspection.
func introspected(set ast.SelectionSet) (schema, other bool) {
	for _, sel := range set {
		var s, o bool
		switch sel := sel.(type) {
		case *ast.Field:
			s, o = sel.Name == "__schema" || sel.Name == "__type", !strings.HasPrefix(sel.Name, "__")
		case *ast.InlineFragment:
			s, o = introspected(sel.SelectionSet)
		case *ast.FragmentSpread:
			if o = sel.Definition == nil; !o {
				s, o = introspected(sel.Definition.SelectionSet)
			}
		}
		schema, other = schema || s, other || o
	}
	return schema, other
}
