// Package internal_test holds the architecture as a test: which room may
// import which. It reads the import lines of every product file of the module.
package internal_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "chirp"

// room says what the packages of a directory may import of this module. In
// both, "x/..." means x and everything below it, and "..." everything.
type room struct {
	dir string
	may []string
}

// rooms is the whole rule. A directory that is not here, and is no test
// package, must not have Go files: a new room needs a decision, made here.
var rooms = []room{
	{"internal/strictjson", nil},
	{"internal/network", nil},
	{"internal/domain", nil},
	{"internal/domain/aggregate", []string{"internal/domain"}},
	{"internal/outage", nil},
	{"internal/eventstore", []string{"internal/domain", "internal/outage"}},
	{"internal/eventstore/groupcommit", []string{"internal/eventstore"}},
	{"internal/readmodel", []string{"internal/domain"}},
	{"internal/audit", []string{"internal/domain", "internal/domain/aggregate", "internal/eventstore"}},
	{"internal/auth", []string{"internal/domain", "internal/gate", "internal/strictjson", "internal/outage"}},
	{"internal/gate", []string{"internal/domain"}},
	{"internal/archive", []string{"internal/domain", "internal/eventstore", "internal/auth", "internal/strictjson"}},
	{"internal/command", []string{"internal/domain", "internal/domain/aggregate", "internal/eventstore", "internal/readmodel", "internal/outage"}},
	{"internal/demo", []string{"internal/domain", "internal/command", "internal/eventstore", "internal/outage"}},
	{"internal/projector", []string{"internal/domain", "internal/eventstore", "internal/readmodel", "internal/outage"}},
	{"internal/verify", []string{"internal/audit", "internal/domain", "internal/eventstore", "internal/readmodel"}},
	{"internal/query", []string{"internal/domain", "internal/readmodel", "internal/outage"}},
	{"internal/subscription", []string{"internal/domain", "internal/eventstore", "internal/readmodel", "internal/query", "internal/outage", "internal/gate"}},
	{"internal/storage/sqlite", []string{
		"internal/domain", "internal/eventstore", "internal/readmodel", "internal/auth", "internal/gate", "internal/outage", "internal/storage/sqlite/...",
	}},
	{"internal/storage/sqlite/dbfile", []string{"internal/domain"}},
	{"internal/storage/sqlite/eventlog", []string{"internal/domain", "internal/eventstore", "internal/eventstore/groupcommit", "internal/gate", "internal/outage", "internal/storage/sqlite/dbfile"}},
	{"internal/storage/sqlite/views", []string{"internal/domain", "internal/eventstore", "internal/readmodel", "internal/gate", "internal/storage/sqlite/dbfile"}},
	{"internal/storage/sqlite/credentials", []string{"internal/domain", "internal/auth", "internal/storage/sqlite/eventlog"}},
	{"internal/storage/mongodb", []string{
		"internal/domain", "internal/eventstore", "internal/readmodel", "internal/auth", "internal/gate", "internal/outage", "internal/storage/mongodb/...",
	}},
	{"internal/storage/mongodb/conn", []string{"internal/domain", "internal/gate", "internal/outage"}},
	{"internal/storage/mongodb/format", []string{"internal/domain", "internal/eventstore"}},
	{"internal/storage/mongodb/integrity", []string{
		"internal/auth", "internal/domain", "internal/outage", "internal/storage/mongodb/conn", "internal/storage/mongodb/format",
	}},
	{"internal/storage/mongodb/eventlog", []string{
		"internal/domain", "internal/eventstore", "internal/eventstore/groupcommit", "internal/gate", "internal/outage",
		"internal/storage/mongodb/conn", "internal/storage/mongodb/format", "internal/storage/mongodb/integrity",
	}},
	{"internal/storage/mongodb/views", []string{
		"internal/domain", "internal/readmodel", "internal/outage", "internal/storage/mongodb/conn", "internal/storage/mongodb/format",
	}},
	{"internal/storage/mongodb/credentials", []string{
		"internal/domain", "internal/auth", "internal/outage",
		"internal/storage/mongodb/conn", "internal/storage/mongodb/format", "internal/storage/mongodb/integrity",
	}},
	{"internal/app/health", []string{"internal/domain", "internal/eventstore", "internal/auth", "internal/outage"}},
	{"internal/app/httpserver", []string{"graph/api", "graph/transport", "web/...", "internal/domain", "internal/gate", "internal/network"}},
	{"internal/app", []string{
		"graph/api", "graph/guard", "graph/request", "graph/transport", "internal/app/...", "internal/auth", "internal/command", "internal/demo", "internal/domain", "internal/eventstore",
		"internal/gate", "internal/outage", "internal/projector", "internal/query", "internal/readmodel", "internal/subscription",
	}},
	{"internal/cli", []string{"..."}},
	{"graph/clip", nil},
	{"graph/panics", nil},
	{"graph/request", []string{"internal/domain"}},
	{"graph/scalar", []string{"internal/domain"}},
	{"graph/model", []string{"internal/domain", "internal/readmodel"}},
	{"graph/generated", []string{"graph/model", "graph/scalar", "internal/domain"}},
	{"graph/plan", []string{"graph/generated", "graph/model", "graph/request", "graph/scalar", "internal/domain"}},
	{"graph/printschema", nil},
	{"graph", []string{
		"graph/generated", "graph/guard", "graph/model", "graph/plan", "graph/request", "graph/panics", "graph/clip", "internal/domain", "internal/auth",
		"internal/command", "internal/gate", "internal/outage", "internal/query", "internal/readmodel", "internal/subscription",
	}},
	{"graph/guard", []string{"graph/request", "graph/scalar", "graph/clip", "internal/domain", "internal/auth", "internal/gate", "internal/network", "internal/strictjson"}},
	{"graph/transport", []string{"graph/guard", "graph/request", "graph/panics", "internal/domain", "internal/auth", "internal/gate", "internal/network", "internal/outage", "internal/strictjson"}},
	{"graph/transport/ws", []string{"graph/guard", "graph/request", "graph/transport", "graph/panics", "graph/clip", "internal/domain", "internal/auth"}},
	{"graph/api", []string{"graph/...", "internal/auth", "internal/command", "internal/gate", "internal/query", "internal/subscription"}},
	{"schema/...", nil},
	{"web/...", nil},
	{"bench/...", []string{"..."}},
	{".", []string{"..."}},
}

// drivers are the foreign modules that one room alone may import.
var drivers = []struct{ module, room string }{
	{"go.mongodb.org/mongo-driver", "internal/storage/mongodb/..."},
	{"modernc.org/sqlite", "internal/storage/sqlite/..."},
	{"github.com/gorilla/websocket", "graph/transport/ws"},
}

// file is a product file and what it imports. The path is relative to the
// module, with slashes.
type file struct {
	path    string
	imports []string
}

func TestImportsKeepToTheRooms(t *testing.T) {
	files := productFiles(t, os.DirFS(".."))
	if len(files) < 20 {
		t.Fatalf("found %d product files, want the whole module", len(files))
	}
	for _, broken := range check(files) {
		t.Error(broken)
	}
}

// productFiles returns all Go files except tests, with their imports.
func productFiles(t *testing.T, module fs.FS) []file {
	t.Helper()
	var files []file
	err := fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(name, d) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(module, name)
		if err != nil {
			return err
		}
		f, err := readImports(name, string(src))
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// skipped reports whether a directory holds no Go files of the module.
func skipped(name string, d fs.DirEntry) bool {
	base := d.Name()
	return name != "." && (base[0] == '.' || base[0] == '_' || base == "testdata" || base == "node_modules")
}

func readImports(name, src string) (file, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		return file{}, err
	}
	f := file{path: name}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, fmt.Errorf("%s: %w", name, err)
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}

// check returns a message for each import that breaks a rule: the file, the
// import and the rule.
func check(files []file) []string {
	var broken []string
	for _, f := range files {
		dir := path.Dir(f.path)
		i := slices.IndexFunc(rooms, func(r room) bool { return within(dir, r.dir) })
		if i < 0 && !testOnly(dir) {
			broken = append(broken, fmt.Sprintf("%s: directory %s has no import rule; decide on one and add it to the rooms", f.path, dir))
			continue
		}
		for _, imported := range f.imports {
			if rule := breaks(f.path, imported, i); rule != "" {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", f.path, imported, rule))
			}
		}
	}
	return broken
}

// breaks returns the rule that an import breaks, or "". A negative room is a test
// package without a room of its own.
func breaks(name, imported string, roomIndex int) string {
	dir := path.Dir(name)
	if testOnly(dir) || within(dir, "bench/...") {
		return ""
	}
	for _, d := range drivers {
		if within(imported, d.module+"/...") && !within(dir, d.room) {
			return "only " + d.room + " may import that driver"
		}
	}
	target, ours := strings.CutPrefix(imported+"/", module+"/")
	if target = strings.TrimSuffix(target, "/"); !ours {
		return ""
	}
	if testOnly(target) {
		return "test packages are for tests and bench/ only"
	}
	if adapter := adapterOf(target); adapter != "" && adapter != adapterOf(dir) {
		switch {
		case adapterOf(dir) != "":
			return "no storage adapter may know another"
		case name != "server.go" && dir != "internal/cli":
			return "only server.go and internal/cli may name a storage adapter"
		case target != adapter:
			return "what is below " + adapter + " is its own"
		}
	}
	r := rooms[roomIndex]
	if slices.ContainsFunc(r.may, func(pattern string) bool { return within(target, pattern) }) {
		return ""
	}
	if len(r.may) == 0 {
		return r.dir + " may import nothing of ours"
	}
	return r.dir + " may import only " + strings.Join(r.may, ", ")
}

// adapterOf returns the directory of the storage adapter that a directory belongs
// to, or "".
func adapterOf(dir string) string {
	below, ok := strings.CutPrefix(dir, "internal/storage/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(below, "/")
	return "internal/storage/" + name
}

// within reports whether a slash path matches a pattern.
func within(name, pattern string) bool {
	if pattern == "..." {
		return true
	}
	top, below := strings.CutSuffix(pattern, "/...")
	return name == top || below && strings.HasPrefix(name, top+"/")
}

// testOnly reports whether a directory is for tests: its name, or that of one above
// it, ends in "test".
func testOnly(dir string) bool {
	return slices.ContainsFunc(strings.Split(dir, "/"), func(part string) bool { return strings.HasSuffix(part, "test") })
}

func TestCheckNamesFileImportAndRule(t *testing.T) {
	for _, c := range []struct {
		name    string
		path    string
		imports string
		want    string // "" when the import is allowed
	}{
		{"a room above", "internal/query/feed.go", "chirp/internal/domain", ""},
		{"a foreign package", "internal/query/feed.go", "golang.org/x/sync/errgroup", ""},
		{"a package whose name begins as ours", "internal/domain/id.go", "chirper/internal/query", ""},
		{"the read side deciding", "internal/query/feed.go", "chirp/internal/domain/aggregate",
			"internal/query/feed.go imports chirp/internal/domain/aggregate: internal/query may import only internal/domain, internal/readmodel, internal/outage"},
		{"the domain reaching out", "internal/domain/id.go", "chirp/internal/eventstore",
			"internal/domain/id.go imports chirp/internal/eventstore: internal/domain may import nothing of ours"},
		{"the projector knowing the hub", "internal/projector/fold.go", "chirp/internal/subscription",
			"internal/projector/fold.go imports chirp/internal/subscription: internal/projector may import only internal/domain, internal/eventstore, internal/readmodel, internal/outage"},
		{"the program itself", "graph/errors.go", "chirp",
			"graph/errors.go imports chirp: graph may import only "},
		{"a resolver reaching a socket", "graph/users.go", "chirp/graph/transport/ws",
			"graph/users.go imports chirp/graph/transport/ws: graph may import only graph/generated, "},
		{"a resolver reaching any socket", "graph/users.go", "github.com/gorilla/websocket",
			"graph/users.go imports github.com/gorilla/websocket: only graph/transport/ws may import that driver"},
		{"a guard knowing rows", "graph/guard/cost.go", "chirp/internal/readmodel",
			"graph/guard/cost.go imports chirp/internal/readmodel: graph/guard may import only graph/request, "},
		{"a guard knowing who resolves", "graph/guard/cost.go", "chirp/graph",
			"graph/guard/cost.go imports chirp/graph: graph/guard may import only graph/request, "},
		{"a guard knowing how it is asked", "graph/guard/cost.go", "chirp/graph/transport",
			"graph/guard/cost.go imports chirp/graph/transport: graph/guard may import only graph/request, "},
		{"a transport knowing what it serves", "graph/transport/http.go", "chirp/internal/query",
			"graph/transport/http.go imports chirp/internal/query: graph/transport may import only graph/guard, "},
		{"the server naming an adapter", "server.go", "chirp/internal/storage/sqlite", ""},
		{"another file of main naming an adapter", "config.go", "chirp/internal/storage/sqlite",
			"config.go imports chirp/internal/storage/sqlite: only server.go and internal/cli may name a storage adapter"},
		{"a command naming an adapter", "internal/cli/open.go", "chirp/internal/storage/sqlite", ""},
		{"the app naming an adapter", "internal/app/serve.go", "chirp/internal/storage/sqlite",
			"internal/app/serve.go imports chirp/internal/storage/sqlite: only server.go and internal/cli may name a storage adapter"},
		{"the app knowing the command line", "internal/app/serve.go", "chirp/internal/cli",
			"internal/app/serve.go imports chirp/internal/cli: internal/app may import only "},
		{"the API naming an adapter", "graph/model/node.go", "chirp/internal/storage/mongodb",
			"graph/model/node.go imports chirp/internal/storage/mongodb: only server.go and internal/cli may name a storage adapter"},
		{"a part of an adapter from outside", "internal/query/feed.go", "chirp/internal/storage/mongodb/views",
			"internal/query/feed.go imports chirp/internal/storage/mongodb/views: only server.go and internal/cli may name a storage adapter"},
		{"the server naming a part of an adapter", "server.go", "chirp/internal/storage/mongodb/views",
			"server.go imports chirp/internal/storage/mongodb/views: what is below internal/storage/mongodb is its own"},
		{"an adapter naming another", "internal/storage/mongodb/views/store.go", "chirp/internal/storage/sqlite",
			"internal/storage/mongodb/views/store.go imports chirp/internal/storage/sqlite: no storage adapter may know another"},
		{"an adapter composing its parts", "internal/storage/mongodb/store.go", "chirp/internal/storage/mongodb/views", ""},
		{"the views naming the log", "internal/storage/mongodb/views/store.go", "chirp/internal/storage/mongodb/eventlog",
			"internal/storage/mongodb/views/store.go imports chirp/internal/storage/mongodb/eventlog: internal/storage/mongodb/views may import only "},
		{"a part of an adapter naming a part of another", "internal/storage/sqlite/views/store.go", "chirp/internal/storage/mongodb/views",
			"internal/storage/sqlite/views/store.go imports chirp/internal/storage/mongodb/views: no storage adapter may know another"},
		{"the embedded driver below its home", "internal/storage/sqlite/views/conn.go", "modernc.org/sqlite/lib", ""},
		{"the driver at home", "internal/storage/mongodb/store.go", "go.mongodb.org/mongo-driver/v2/mongo", ""},
		{"the driver below its home", "internal/storage/mongodb/eventlog/log.go", "go.mongodb.org/mongo-driver/v2/mongo", ""},
		{"the driver abroad", "internal/projector/fold.go", "go.mongodb.org/mongo-driver/v2/bson",
			"internal/projector/fold.go imports go.mongodb.org/mongo-driver/v2/bson: only internal/storage/mongodb/... may import that driver"},
		{"the driver in main", "server.go", "go.mongodb.org/mongo-driver/v2/mongo",
			"server.go imports go.mongodb.org/mongo-driver/v2/mongo: only internal/storage/mongodb/... may import that driver"},
		{"a test package in the product", "internal/command/user.go", "chirp/internal/eventstore/eventstoretest",
			"internal/command/user.go imports chirp/internal/eventstore/eventstoretest: test packages are for tests and bench/ only"},
		{"a test package in main", "server.go", "chirp/internal/storage/mongodb/mongotest",
			"server.go imports chirp/internal/storage/mongodb/mongotest: test packages are for tests and bench/ only"},
		{"a test package in a test package", "internal/storage/mongodb/mongotest/fetch/main.go", "chirp/internal/storage/mongodb/mongotest", ""},
		{"a bench using everything", "bench/load/main.go", "chirp/internal/storage/sqlite", ""},
		{"the assets reaching out", "web/web.go", "chirp/graph",
			"web/web.go imports chirp/graph: web/... may import nothing of ours"},
		{"a room without a rule", "internal/util/strings.go", "strings",
			"internal/util/strings.go: directory internal/util has no import rule"},
		{"a room below one with a rule", "internal/domain/more/more.go", "strings",
			"internal/domain/more/more.go: directory internal/domain/more has no import rule"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := readImports(c.path, "package x\n\nimport named "+strconv.Quote(c.imports)+"\n\nfunc broken( {")
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(check([]file{f}), "\n")
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
