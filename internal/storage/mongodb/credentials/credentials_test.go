package credentials_test

import (
	"os"
	"testing"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

func TestCredentials(t *testing.T) {
	authtest.Run(t, func(t testing.TB) auth.Credentials { return storetest.OpenNew(t).Credentials() })
}
