package guard

import (
	"cmp"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"chirp/graph/clip"
)

// maxErrors is the most errors that are reported of one document.
const maxErrors = 10

// validator parses and validates query text within limits.
type validator struct {
	schema *ast.Schema
	limits Limits
	rules  []core.Rule
}

// newValidator returns a validator. With suggestions, its errors about unknown
// names suggest similar ones.
func newValidator(schema *ast.Schema, limits Limits, suggestions bool) *validator {
	set := rules.NewDefaultRules()
	set.ReplaceRule(overlapRule().Name, overlapRule().RuleFunc)
	if !suggestions {
		set.ReplaceRule(rules.FieldsOnCorrectTypeRule.Name, rules.FieldsOnCorrectTypeRuleWithoutSuggestions.RuleFunc)
		set.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
		set.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
		set.ReplaceRule(rules.ScalarLeafsRule.Name, rules.ScalarLeafsRuleWithoutSuggestions.RuleFunc)
		set.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc)
	}
	v := &validator{schema: schema, limits: limits}
	v.rules = append(v.rules, literalRule(coercer{schema, inputScalars()}))
	for name, rule := range set.GetInner() {
		v.rules = append(v.rules, core.Rule{Name: name, RuleFunc: rule})
	}
	slices.SortFunc(v.rules, func(a, b core.Rule) int { return strings.Compare(a.Name, b.Name) })
	return v
}

// document parses and validates a text. Every error has a code and a short message,
// and its columns count Unicode code points.
func (v *validator) document(text string) (*ast.QueryDocument, gqlerror.List) {
	text = normalizeLineEnds(text)
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, v.limits.Tokens)
	if err != nil {
		return nil, gqlerror.List{v.parseError(text, err)}
	}
	if err := surrogateError(text); err != nil {
		return nil, gqlerror.List{err}
	}
	if len(doc.Operations) == 0 && len(doc.Fragments) == 0 {
		return nil, gqlerror.List{parseFailed("the document is empty")}
	}
	if len(doc.Operations) == 0 {
		return nil, gqlerror.List{validationFailed("the document has no operation")}
	}
	if err := checkComplexity(doc, v.limits); err != nil {
		return nil, gqlerror.List{err}
	}
	if errs := v.applyRules(doc); len(errs) > 0 {
		relocate(text, errs...)
		return nil, errs
	}
	if len(doc.Operations) > 1 {
		v.clearVariableDefinitions(doc)
	}
	return doc, nil
}

// parseError returns the error to show for an error of the parser.
func (v *validator) parseError(text string, err error) *gqlerror.Error {
	gqlErr := gqlerror.WrapIfUnwrapped(err)
	if strings.HasPrefix(gqlErr.Message, "exceeded token limit") {
		return limitExceeded("tokens", v.limits.Tokens, "the document has more than %d tokens")
	}
	if len(gqlErr.Locations) > 0 {
		gqlErr = cmp.Or(lexerError(text, gqlErr.Locations[0]), gqlErr)
	}
	gqlErr = parseFailed(gqlErr.Message, gqlErr.Locations...)
	relocate(text, gqlErr)
	return gqlErr
}

// tooManyErrors is the value of the panic that ends a validation after maxErrors.
type tooManyErrors struct{}

// applyRules validates a document and returns its first errors, up to maxErrors.
// The library's walk has no way to stop other than a panic, which is recovered
// here. Without it a document full of errors would take too long.
func (v *validator) applyRules(doc *ast.QueryDocument) (errs gqlerror.List) {
	defer func() {
		if thrown := recover(); thrown != nil && thrown != any(tooManyErrors{}) {
			panic(thrown)
		}
	}()
	observers := &core.Events{}
	for _, rule := range v.rules {
		rule.RuleFunc(observers, func(options ...core.ErrorOption) {
			err := &gqlerror.Error{}
			for _, o := range options {
				o(err)
			}
			err.Message = clip.Text(err.Message, maxMessage)
			errcode.Set(err, errcode.ValidationFailed)
			if errs = append(errs, err); len(errs) == maxErrors {
				panic(tooManyErrors{})
			}
		})
	}
	core.Walk(v.schema, doc, observers)
	return errs
}
