// Package mongotest starts real MongoDB servers for tests: one single-node
// replica set shared by all tests of a process, and further servers and
// replica sets for tests that stop, kill or stall them.
//
// The mongod is the first of: the binary that CHIRP_TEST_MONGOD names, mongod on
// the PATH, and .cache/mongod in the module's root, which is fetched if it is not
// there ("make mongod" does the same ahead of time). If there is none the test
// fails. Only "go test -short" skips the tests that need a server.
//
// Every server listens on 127.0.0.1 only, keeps its data in a temporary directory,
// and ends with the test process. A package that uses the shared server has
//
//	func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }
//
// so that its directory is removed as well. The directories of test processes that
// were killed are removed by the next one.
package mongotest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// patience bounds every wait for a server. It is long because test machines can be
// busy; a healthy server starts within two seconds.
const patience = 60 * time.Second

// shared is the server of URI, one for the whole test process.
var shared = &sharedServer{}

type sharedServer struct {
	mu  sync.Mutex
	set *ReplicaSet
	err error
}

// URI returns the connection string of a single-node replica set that all tests
// of the process share. The first call starts it.
func URI(t testing.TB) string {
	t.Helper()
	skipIfShort(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.set == nil && shared.err == nil {
		shared.set, shared.err = startReplicaSet(1, nil)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.set.URI()
}

// Main runs a package's tests and then stops the shared server and removes its
// data. It returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.set != nil {
		shared.set.close()
	}
	return code
}

// Database returns the name of a database on the shared server that no other test
// uses. It is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	uri := URI(t)
	name := "chirp-" + rand.Text()
	t.Cleanup(func() {
		client, err := connect(uri)
		if err != nil {
			t.Error(err)
			return
		}
		// A server that a test killed may have left a transaction open, which blocks
		// the drop until MongoDB ends it after a minute.
		ctx, cancel := context.WithTimeout(context.Background(), patience+time.Minute)
		defer cancel()
		defer client.Disconnect(ctx)
		if err := client.Database(name).Drop(ctx); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return name
}

// StartReplicaSet starts a replica set of 1 or 3 nodes for one test alone and
// waits until all of them are up and one is primary. Elections take about a
// second. The arguments are added to each mongod's.
func StartReplicaSet(t testing.TB, nodes int, args ...string) *ReplicaSet {
	t.Helper()
	skipIfShort(t)
	set, err := startReplicaSet(nodes, args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.close)
	return set
}

// StartPlain starts a mongod that is not part of a replica set.
func StartPlain(t testing.TB, args ...string) *Node {
	t.Helper()
	skipIfShort(t)
	binary, err := findBinary()
	if err != nil {
		t.Fatal(err)
	}
	n, err := startNode(binary, args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	return n
}

// Binary returns the path of the mongod that the tests run.
func Binary(t testing.TB) string {
	t.Helper()
	skipIfShort(t)
	path, err := findBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// skipIfShort skips a test under "go test -short", which starts no process.
func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a mongod, which go test -short does not start")
	}
}

func findBinary() (string, error) {
	if path := os.Getenv("CHIRP_TEST_MONGOD"); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("mongod"); err == nil {
		return path, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		path := filepath.Join(dir, ".cache", "mongod")
		if err := Fetch(path); err != nil {
			return "", fmt.Errorf("no mongod for the tests: install MongoDB, or set CHIRP_TEST_MONGOD to a mongod binary; fetching one did not work: %w", err)
		}
		return path, nil
	}
	return "", fmt.Errorf("no mongod for the tests: set CHIRP_TEST_MONGOD to a mongod binary")
}

func connect(uri string) (*mongo.Client, error) {
	return mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(patience))
}

// admin runs commands on one server.
func admin(uri string, commands ...bson.D) (bson.M, error) {
	client, err := connect(uri)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer client.Disconnect(ctx)
	var answer bson.M
	for _, c := range commands {
		answer = nil
		if err := client.Database("admin").RunCommand(ctx, c).Decode(&answer); err != nil {
			return nil, fmt.Errorf("%s: %w", c[0].Key, err)
		}
	}
	return answer, nil
}
