package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chirp/internal/apitest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/storage/mongodb/mongotest"
)

// fullStore is a store that can be made to refuse writes, and what it says then.
type fullStore struct {
	place      apitest.Place
	fill, free func(t *testing.T, server *apitest.Process)
	says       string
}

func TestStoreThatRefusesWritesIsNoticed(t *testing.T) {
	stores := fullDisks(t)
	stores["mongodb refuses writes"] = refusingMongoDB(t)
	for name, s := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := apitest.Launch(t, s.place)
			apitest.Ready(t, server.URL)
			ann := apitest.RegisterAll(t, server.URL, "ann")[0].At(server.URL)
			acknowledged := 0
			s.fill(t, server)
			var err error
			for err == nil { // what is left of a page may yet be written
				if _, err = ann.Post(t.Context(), fmt.Sprint("post ", acknowledged), ""); err == nil {
					acknowledged++
				}
			}
			for range 3 {
				if apitest.Code(err) != "UNAVAILABLE" || !strings.Contains(err.Error(), "nothing was done") || !strings.Contains(err.Error(), s.says) {
					t.Fatalf("a post: got %v, want UNAVAILABLE, that nothing was done, and %q", err, s.says)
				}
				_, err = ann.Post(t.Context(), "refused", "")
			}
			apitest.AwaitProbe(t, server.Ops, http.StatusServiceUnavailable, "the store has taken no append since")
			if _, err := (apitest.API{URL: server.URL}).Register(t.Context(), "bob"); apitest.Code(err) != "UNAVAILABLE" {
				t.Errorf("a registration: got %v, want UNAVAILABLE", err)
			}
			if n := strings.Count(server.Log.String(), `msg="the store cannot be written"`); n < 1 || n > 2 {
				t.Errorf("the log says %d times that the store cannot be written, want once for appends and once for credentials", n)
			}
			if n := metric(t, server.Ops, `chirp_store_write_failures_total{write="append"}`); n < 4 {
				t.Errorf("/metrics counts %d appends that failed, want every one", n)
			}
			s.free(t, server)
			apitest.Ready(t, server.URL) // although no client writes
			if n := metric(t, server.Ops, "chirp_store_writable"); n != 1 || !strings.Contains(server.Log.String(), "the store can be written again") {
				t.Errorf("got chirp_store_writable %d and the log\n%s\nwant 1 and that it can be written again", n, server.Log.String())
			}
			posted := apitest.Must(ann.Post(t.Context(), "goes on", ""))(t)
			if want := fmt.Sprint(acknowledged + 3); posted.Position != want { // after the two of the registration
				t.Errorf("got position %s, want %s: that of nothing but what was acknowledged", posted.Position, want)
			}
			server.Terminate(t)
		})
	}
}

// refusingMongoDB is a database whose user may not insert for a while.
func refusingMongoDB(t *testing.T) fullStore {
	set := mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1")
	client := apitest.Must(mongo.Connect(options.Client().ApplyURI(set.URI())))(t)
	t.Cleanup(func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) })
	mode := func(t *testing.T, mode any) {
		command := bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: mode}, {Key: "data", Value: bson.D{
			{Key: "failCommands", Value: bson.A{"insert", "update"}}, {Key: "errorCode", Value: 13}, {Key: "appName", Value: "chirp/refusing"}}}}
		if err := client.Database("admin").RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return fullStore{
		place: apitest.OnMongoDB(set.URI(), "refusing"),
		fill:  func(t *testing.T, _ *apitest.Process) { mode(t, "alwaysOn") },
		free:  func(t *testing.T, _ *apitest.Process) { mode(t, "off") },
		says:  "the database cannot answer now",
	}
}

// metric returns a value of /metrics.
func metric(t *testing.T, ops, name string) (value int) {
	t.Helper()
	_, body, err := apitest.Probe(t.Context(), ops+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\d+)$`).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("/metrics has no %s", name)
	}
	if _, err := fmt.Sscan(found[1], &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// filled writes a file until the disk is full.
func filled(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		n, err := f.Write(make([]byte, size))
		if err != nil && n == 0 {
			size /= 2
		}
	}
}

// sizeOf returns the size of the log's write-ahead log.
func sizeOf(t *testing.T, dir string) uint64 {
	t.Helper()
	return uint64(apitest.Must(os.Stat(filepath.Join(dir, "log.db-wal")))(t).Size())
}
