package eventlog_test

import (
	"testing"

	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
)

func TestImportPassesTheSuite(t *testing.T) {
	eventstoretest.RunImport(t, func(t testing.TB) eventstore.Log {
		return openLog(t, t.TempDir())
	})
}

func BenchmarkImport(b *testing.B) {
	eventstoretest.BenchmarkImport(b, func(t testing.TB) eventstore.Log {
		return openLog(t, t.TempDir())
	})
}
