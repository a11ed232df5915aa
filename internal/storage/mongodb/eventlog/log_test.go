package eventlog_test

import (
	"os"
	"testing"

	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

func TestLog(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Log { return storetest.OpenNew(t).Log() })
}

func TestLogAfterReopening(t *testing.T) {
	databases := map[string]string{}
	eventstoretest.RunDurable(t, func(t testing.TB, instance string) (eventstore.Log, func()) {
		if databases[instance] == "" {
			databases[instance] = mongotest.Database(t)
		}
		store, closeStore := storetest.Open(t, databases[instance])
		return store.Log(), closeStore
	})
}
