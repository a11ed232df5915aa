package cli

import (
	"os"
	"testing"

	"chirp/internal/storage/mongodb/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }
