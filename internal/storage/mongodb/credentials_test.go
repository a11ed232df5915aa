package mongodb_test

import (
	"testing"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
)

func TestCredentials(t *testing.T) {
	authtest.Run(t, func(t testing.TB) auth.Credentials { return openNew(t).Credentials() })
}
