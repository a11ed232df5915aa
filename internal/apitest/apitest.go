// Package apitest runs the program for tests, and talks to it as its clients
// do. The package of a test that starts the program has
//
//	func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }
//
// which builds it, under the race detector if the test is. Under "go test
// -short" nothing is built, and a test that asks for the program is skipped.
package apitest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"chirp/internal/storage/mongodb/mongotest"
)

// program is the path of what Main built.
var program string

// Program returns the path of the program.
func Program(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the program, which go test -short does not start")
	}
	if program == "" {
		t.Fatal("the program was not built: TestMain does not call apitest.Main")
	}
	return program
}

// Main builds the program, runs a package's tests, and removes what they share.
// It returns the exit code.
func Main(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "chirp")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "chirp")
	args := []string{"build", "-buildvcs=false", "-o", path}
	if underRace() {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "chirp")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the program:", err)
		return 1
	}
	program = path
	return mongotest.Main(m)
}

// underRace reports whether the test was built with the race detector.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
