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

// maxErrors is how many errors of one document are told.
const maxErrors = 10

// validator makes documents of texts, within limits.
type validator struct {
	schema *ast.Schema
	limits Limits
	rules  []core.Rule
}

// newValidator makes a validator. With suggestions it tells a client that
// misspelt a name how others are spelt.
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

// document parses and validates a text. Every error has its code, is short, and
// its columns count Unicode code points.
func (v *validator) document(text string) (*ast.QueryDocument, gqlerror.List) {
	text = lineFeeds(text)
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, v.limits.Tokens)
	if err != nil {
		return nil, gqlerror.List{v.unparsed(text, err)}
	}
	if err := halfCharacter(text); err != nil {
		return nil, gqlerror.List{err}
	}
	if len(doc.Operations) == 0 && len(doc.Fragments) == 0 {
		return nil, gqlerror.List{unparsable("the document is empty")}
	}
	if len(doc.Operations) == 0 {
		return nil, gqlerror.List{invalid("the document has no operation")}
	}
	if err := take(doc, v.limits); err != nil {
		return nil, gqlerror.List{err}
	}
	if errs := v.check(doc); len(errs) > 0 {
		relocate(text, errs...)
		return nil, errs
	}
	if len(doc.Operations) > 1 {
		v.forgetDefaults(doc)
	}
	return doc, nil
}

func (v *validator) unparsed(text string, err error) *gqlerror.Error {
	told := gqlerror.WrapIfUnwrapped(err)
	if strings.HasPrefix(told.Message, "exceeded token limit") {
		return tooMuch("tokens", v.limits.Tokens, "the document has more than %d words")
	}
	if len(told.Locations) > 0 {
		told = cmp.Or(lexed(text, told.Locations[0]), told)
	}
	told = unparsable(told.Message, told.Locations...)
	relocate(text, told)
	return told
}

// enough is thrown to leave a validation that has found so many errors.
type enough struct{}

// check validates a document up to its tenth error. The walk through the
// document has no other way out than a panic, which goes no further than here;
// without one, a document of nothing but errors would take long.
func (v *validator) check(doc *ast.QueryDocument) (errs gqlerror.List) {
	defer func() {
		if thrown := recover(); thrown != nil && thrown != any(enough{}) {
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
				panic(enough{})
			}
		})
	}
	core.Walk(v.schema, doc, observers)
	return errs
}
