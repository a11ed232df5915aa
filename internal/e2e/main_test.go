// Package e2e tests the program as its users and operators use it: it starts servers
// and commands as processes, stops and kills them, and makes the stores, files and
// networks that they depend on fail.
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
