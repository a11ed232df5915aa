package eventlog

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
)

// TestReadersWaitForTheirTurn takes every connection that clients may have, and
// reads.
func TestReadersWaitForTheirTurn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, err := Open(t.Context(), dir, Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		for range clientReaders {
			leave, err := log.readers.Enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer leave()
		}
		for name, read := range map[string]func(context.Context) error{
			"Head":    func(ctx context.Context) error { _, err := log.Head(ctx); return err },
			"Load":    func(ctx context.Context) error { _, err := log.Load(ctx, "user:1"); return err },
			"ReadAll": func(ctx context.Context) error { _, err := log.ReadAll(ctx, 0, 1); return err },
			"Hashes":  func(ctx context.Context) error { _, err := log.Hashes(ctx, []domain.Position{1}); return err },
			"Committed": func(ctx context.Context) error {
				_, _, err := log.Committed(ctx, eventstore.CommandKey{Actor: "actor", ID: "id"})
				return err
			},
		} {
			if err := read(t.Context()); domain.KindOf(err) != domain.Unavailable {
				t.Errorf("%s: got %v, want kind Unavailable", name, err)
			}
			if err := read(gate.Own(t.Context())); err != nil {
				t.Errorf("%s of the server's own: got %v, want no error", name, err)
			}
		}
	})
}
