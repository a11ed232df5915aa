package guard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/request"
	"chirp/internal/domain"
	"chirp/internal/strictjson"
)

// hash is the SHA-256 of a document's text.
type hash [sha256.Size]byte

// hashPrefix begins a documentId.
const hashPrefix = "sha256:"

// parseHash parses 64 hexadecimal digits.
func parseHash(s string) (h hash, ok bool) {
	if len(s) != 2*len(h) {
		return h, false
	}
	n, err := hex.Decode(h[:], []byte(s))
	return h, err == nil && n == len(h)
}

// document is a document that has been validated.
type document struct {
	hash   hash
	text   string
	parsed *ast.QueryDocument

	preparing sync.Once
	prepared  any // what Config.Prepare returned
}

// Documents are the documents that the operator trusts.
type Documents struct{ byHash map[hash]*document }

// ReadDocuments reads a manifest: a JSON object from ids to the documents' texts.
// An id is the SHA-256 of the text in hexadecimal, with or without the prefix
// "sha256:". Every document must be valid and within the limits. An error names
// the id.
func ReadDocuments(schema *ast.Schema, manifest []byte, limits Limits) (*Documents, error) {
	if why := CheckJSON(manifest); why != "" {
		return nil, errors.New("the manifest " + why)
	}
	var texts map[string]string
	if err := strictjson.Unmarshal(manifest, &texts); err != nil {
		return nil, fmt.Errorf("the manifest must be a JSON object of texts by their ids: it %w", err)
	}
	v := newValidator(schema, limits.withDefaults(), true)
	trusted := &Documents{byHash: make(map[hash]*document, len(texts))}
	for id, text := range texts {
		want, ok := parseHash(strings.TrimPrefix(id, hashPrefix))
		if !ok {
			return nil, fmt.Errorf("document %.80q: the id is not %s and 64 hexadecimal digits", id, hashPrefix)
		}
		if trusted.byHash[want] != nil {
			return nil, fmt.Errorf("document %s: the id occurs twice", id)
		}
		if got := hash(sha256.Sum256([]byte(text))); got != want {
			return nil, fmt.Errorf("document %s: the text has the SHA-256 %x", id, got)
		}
		parsed, errs := v.document(text)
		if len(errs) > 0 {
			return nil, fmt.Errorf("document %s: %s", id, errs[0].Message)
		}
		trusted.byHash[want] = &document{hash: want, text: text, parsed: parsed}
	}
	return trusted, nil
}

// Len returns the number of documents.
func (d *Documents) Len() int {
	if d == nil {
		return 0
	}
	return len(d.byHash)
}

func (d *Documents) get(h hash) *document {
	if d == nil {
		return nil
	}
	return d.byHash[h]
}

// documentFinder is the extension that finds the document of each request before
// gqlgen looks for it: a trusted one by its documentId, one that was sent before by
// its hash ("automatic persisted queries"), or a new one by its text. The document
// is valid and within the limits. gqlgen takes it from foundDocuments.
type documentFinder struct {
	limiter     *Limiter
	validator   *validator
	trusted     *Documents
	trustedOnly bool
	cache       *cache[hash, *document]
	prepare     func(text string) any // nil if nothing needs to be prepared
}

var _ graphql.OperationParameterMutator = documentFinder{}

// ExtensionName implements graphql.HandlerExtension.
func (documentFinder) ExtensionName() string { return "Documents" }

// Validate implements graphql.HandlerExtension.
func (documentFinder) Validate(graphql.ExecutableSchema) error { return nil }

// Keys of an operation's statistics, where the finder leaves what it found.
const (
	documentKey        = "ChirpDocument" // *document
	remainingErrorsKey = "ChirpErrors"   // gqlerror.List, the errors after the first one
)

// MutateOperationParameters implements graphql.OperationParameterMutator.
func (s documentFinder) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	found, errs := s.find(ctx, p)
	stats := &graphql.GetOperationContext(ctx).Stats
	if len(errs) > 0 {
		stats.SetExtension(remainingErrorsKey, errs[1:])
		return errs[0]
	}
	if err := checkOperationName(found.parsed, p.OperationName); err != nil {
		return err
	}
	p.Query = found.text
	stats.SetExtension(documentKey, found)
	if s.prepare != nil {
		found.preparing.Do(func() { found.prepared = s.prepare(found.text) })
		request.WithOperation(graphql.GetOperationContext(ctx), &request.Operation{Prepared: found.prepared})
	}
	return nil
}

func (s documentFinder) find(ctx context.Context, p *graphql.RawParams) (*document, gqlerror.List) {
	id, named, err := namedBy(p)
	if err != nil {
		return nil, gqlerror.List{refusef(domain.Invalid, "%s", err)}
	}
	if !named {
		id = sha256.Sum256([]byte(p.Query))
	}
	if found := s.trusted.get(id); found != nil {
		return found, nil
	}
	if s.trustedOnly {
		return nil, untrusted("this server accepts trusted documents only, and this is not one of them")
	}
	if found, ok := s.cache.get(id); ok && p.Extensions[DocumentIDKey] == nil {
		return found, nil
	}
	switch {
	case !named:
	case p.Extensions[DocumentIDKey] != nil:
		return nil, untrusted("the documentId is not that of a trusted document")
	case p.Query == "":
		return nil, gqlerror.List{coded(codePersistedQueryNotFound, "PersistedQueryNotFound")} // clients look for this text
	}
	if wait := s.limiter.Costs.Take(ctx, len(p.Query)/textPerUnit); wait > 0 {
		return nil, gqlerror.List{refuse(RateLimited(wait))}
	}
	parsed, errs := s.validator.document(p.Query)
	if len(errs) > 0 {
		return nil, errs
	}
	found := &document{hash: id, text: p.Query, parsed: parsed}
	s.cache.add(id, found)
	return found, nil
}

// checkOperationName returns an error if a document does not have an operation of
// that name, or has several operations and the name is empty.
func checkOperationName(doc *ast.QueryDocument, name string) *gqlerror.Error {
	switch {
	case doc.Operations.ForName(name) != nil:
		return nil
	case name == "":
		return validationFailed("the document has several operations; choose one by operationName")
	default:
		return validationFailed(fmt.Sprintf("the document has no operation %.40q", name))
	}
}

func untrusted(message string) gqlerror.List {
	return gqlerror.List{coded(codeDocumentNotTrusted, message)}
}

// DocumentIDKey is the key of the extension in which a transport passes the
// documentId to the guard.
const DocumentIDKey = "documentId"

// namedBy returns the hash by which a request names its document. named is false if
// it sends only the text.
func namedBy(p *graphql.RawParams) (id hash, named bool, err error) {
	if value := p.Extensions[DocumentIDKey]; value != nil {
		text, _ := value.(string)
		hex, prefixed := strings.CutPrefix(text, hashPrefix)
		id, ok := parseHash(hex)
		switch {
		case p.Query != "":
			return id, true, errors.New("send a query or a documentId, not both")
		case !prefixed || !ok:
			return id, true, fmt.Errorf("documentId must be %s and 64 hexadecimal digits", hashPrefix)
		}
		return id, true, nil
	}
	value := p.Extensions["persistedQuery"]
	if value == nil {
		return id, false, nil
	}
	persisted, _ := value.(map[string]any)
	text, _ := persisted["sha256Hash"].(string)
	id, ok := parseHash(text)
	switch {
	case persisted["version"] != json.Number("1"):
		return id, true, errors.New("extensions.persistedQuery.version must be 1")
	case !ok:
		return id, true, errors.New("extensions.persistedQuery.sha256Hash must be 64 hexadecimal digits")
	case p.Query != "" && id != sha256.Sum256([]byte(p.Query)):
		return id, true, errors.New("extensions.persistedQuery.sha256Hash is not that of the query")
	}
	return id, true, nil
}

// foundDocuments is the cache in which gqlgen looks for an operation's document: it
// returns the one that documentFinder found.
type foundDocuments struct{}

// Get implements graphql.Cache.
func (foundDocuments) Get(ctx context.Context, _ string) (*ast.QueryDocument, bool) {
	found, ok := graphql.GetOperationContext(ctx).Stats.GetExtension(documentKey).(*document)
	if !ok {
		return nil, false
	}
	return found.parsed, true
}

// Add implements graphql.Cache.
func (foundDocuments) Add(context.Context, string, *ast.QueryDocument) {}

// addRemainingErrors adds the errors after the first, because an extension can
// return only one. It is a response middleware.
func addRemainingErrors(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	if response == nil || !graphql.HasOperationContext(ctx) {
		return response
	}
	rest, _ := graphql.GetOperationContext(ctx).Stats.GetExtension(remainingErrorsKey).(gqlerror.List)
	response.Errors = append(slices.Clip(response.Errors), rest...)
	return response
}
