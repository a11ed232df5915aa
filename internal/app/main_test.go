package app_test

import (
	"os"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/app"
	"chirp/internal/storage/mongodb/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// start runs a server in this process on a place, and waits until it is ready.
func start(t testing.TB, p apitest.Place, change func(*app.Config)) *apitest.Server {
	t.Helper()
	s := apitest.ServeApp(t, p.OpenToServe, change)
	apitest.Ready(t, s.URL)
	return s
}
