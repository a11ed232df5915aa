package sqlite_test

import (
	"testing"

	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/storage/sqlite"
)

func TestImportPassesTheSuite(t *testing.T) {
	eventstoretest.RunImport(t, func(t testing.TB) eventstore.Log {
		return openStore(t, t.TempDir(), sqlite.Options{Exclusive: true}).Log()
	})
}

func BenchmarkImport(b *testing.B) {
	eventstoretest.BenchmarkImport(b, func(t testing.TB) eventstore.Log {
		return openStore(t, t.TempDir(), sqlite.Options{Exclusive: true}).Log()
	})
}
