// Package e2e tests the program as its users and operators meet it: it starts
// servers and commands as processes, ends them in every way, and takes away
// what they rest on.
package e2e

import (
	"os"
	"testing"

	"chirp/internal/apitest"
	// The program's packages, so that go test runs these tests again when one
	// of them has changed.
	_ "chirp/internal/cli"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// root is the module's folder.
const root = "../.."
