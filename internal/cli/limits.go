package cli

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"

	"chirp/graph"
	"chirp/graph/guard"
	"chirp/internal/query"
)

// limitFlags are the flags that limit what one request may ask.
type limitFlags struct {
	MaxBody       int64 `env:"CHIRP_MAX_BODY" default:"262144" placeholder:"BYTES" help:"Bytes per request body, or per message on a socket (default ${default})." for:"serve"`
	MaxTokens     int   `env:"CHIRP_MAX_TOKENS" default:"5000" placeholder:"N" help:"Tokens per document (default ${default})." for:"serve"`
	MaxDepth      int   `env:"CHIRP_MAX_DEPTH" default:"15" placeholder:"N" help:"Nesting depth of fields (default ${default})." for:"serve"`
	MaxAliases    int   `env:"CHIRP_MAX_ALIASES" default:"50" placeholder:"N" help:"Aliases per operation, with its fragments expanded (default ${default})." for:"serve"`
	MaxMutations  int   `env:"CHIRP_MAX_MUTATIONS" default:"10" placeholder:"N" help:"Mutations per operation, with its fragments expanded (default ${default})." for:"serve"`
	MaxDirectives int   `env:"CHIRP_MAX_DIRECTIVES" default:"50" placeholder:"N" help:"Directives per operation, with its fragments expanded (default ${default})." for:"serve"`
	MaxFields     int   `env:"CHIRP_MAX_FIELDS" default:"1000" placeholder:"N" help:"Fields per operation, with its fragments expanded (default ${default})." for:"serve"`
	MaxPage       int   `env:"CHIRP_MAX_PAGE" default:"100" placeholder:"N" help:"Rows per page, at most 100 (default ${default})." for:"serve"`
	MaxCost       int   `env:"CHIRP_MAX_COST" default:"10000" placeholder:"N" help:"Cost per operation: 1 per field, 10 per list plus its rows, 50 per mutation, 500 per password (default ${default})." for:"serve"`

	TrustedDocuments     string `env:"CHIRP_TRUSTED_DOCUMENTS" placeholder:"FILE" help:"JSON file of documents by their ids (sha256:…), which clients may request by documentId." for:"serve"`
	TrustedDocumentsOnly bool   `env:"CHIRP_TRUSTED_DOCUMENTS_ONLY" help:"Refuse all other documents." for:"serve"`
}

// check refuses limits that cannot be.
func (f limitFlags) check() error {
	if err := cmp.Or(
		atLeast("--max-body", f.MaxBody, 1), atLeast("--max-tokens", f.MaxTokens, 1), atLeast("--max-depth", f.MaxDepth, 1),
		atLeast("--max-aliases", f.MaxAliases, 1), atLeast("--max-mutations", f.MaxMutations, 1), atLeast("--max-directives", f.MaxDirectives, 1),
		atLeast("--max-fields", f.MaxFields, 1), atLeast("--max-page", f.MaxPage, 1), atLeast("--max-cost", f.MaxCost, 1),
	); err != nil {
		return err
	}
	if f.MaxPage > query.MaxFirst {
		return fmt.Errorf("--max-page: %d is more than %d", f.MaxPage, query.MaxFirst)
	}
	if f.TrustedDocumentsOnly && f.TrustedDocuments == "" {
		return fmt.Errorf("--trusted-documents-only: without --trusted-documents every request would be refused")
	}
	return nil
}

// guardLimits returns the limits as the guard has them.
func (f limitFlags) guardLimits() guard.Limits {
	return guard.Limits{
		Tokens: f.MaxTokens, Depth: f.MaxDepth, Aliases: f.MaxAliases, Mutations: f.MaxMutations,
		Directives: f.MaxDirectives, Fields: f.MaxFields, Page: f.MaxPage, Cost: f.MaxCost,
	}
}

// documents reads the trusted documents. It returns nil if no file is named.
func (f limitFlags) documents(log *slog.Logger) (*guard.Documents, error) {
	if f.TrustedDocuments == "" {
		return nil, nil
	}
	manifest, err := os.ReadFile(f.TrustedDocuments)
	if err != nil {
		return nil, fmt.Errorf("trusted documents: %w", err)
	}
	trusted, err := guard.ReadDocuments(graph.Schema(), manifest, f.guardLimits())
	if err != nil {
		return nil, fmt.Errorf("trusted documents: %s: %w", f.TrustedDocuments, err)
	}
	log.Info("trusted documents", "file", f.TrustedDocuments, "count", trusted.Len(), "only", f.TrustedDocumentsOnly)
	return trusted, nil
}
