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

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// sharedKey identifies an operation among those with equal answers. It is a hash of the
// operation's name, of the document and the variables without the cursor after which the
// operation began, and, if the answers depend on them, of the viewer and its session.
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
