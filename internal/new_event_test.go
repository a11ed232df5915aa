package internal_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestThePageOnNewEventsNamesEveryPlace compares doc/adding-an-event.md with
// the module: the files it names exist, and it names every file in which the
// linter demands a case of a new event.
func TestThePageOnNewEventsNamesEveryPlace(t *testing.T) {
	module := os.DirFS("..")
	text, err := fs.ReadFile(module, "doc/adding-an-event.md")
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, match := range regexp.MustCompile("`([a-z0-9_/.-]+/[a-z0-9_.-]+)`").FindAllStringSubmatch(string(text), -1) {
		named[match[1]] = true
		if _, err := fs.Stat(module, match[1]); err != nil {
			t.Errorf("doc/adding-an-event.md names a file that does not exist: %v", err)
		}
	}
	if len(named) < 10 {
		t.Fatalf("found %d files in doc/adding-an-event.md, want more", len(named))
	}
	overEvents := regexp.MustCompile(`(?m)^\s*case .*\bdomain\.UserRegistered\b`)
	walk(t, module, func(name, source string) {
		if overEvents.MatchString(source) && !named[name] {
			t.Errorf("doc/adding-an-event.md does not name %s, which has a switch over the events", name)
		}
	})
}

// TestResolversAreWritten finds what the generator left for someone to write.
func TestResolversAreWritten(t *testing.T) {
	walk(t, os.DirFS(".."), func(name, source string) {
		if strings.HasSuffix(name, ".resolvers.go") && strings.Contains(source, `panic(fmt.Errorf("not implemented`) {
			t.Errorf("%s has a resolver that only panics", name)
		}
	})
}

// walk calls visit with each Go file of the module.
func walk(t *testing.T, module fs.FS, visit func(name, source string)) {
	t.Helper()
	err := fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipped(name, d) {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(module, name)
		visit(name, string(source))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
