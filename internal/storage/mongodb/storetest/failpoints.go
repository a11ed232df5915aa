package storetest

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/storage/mongodb/mongotest"
)

// Many is more often than any call tries.
const Many = 100_000

// StartOwn starts a server for one test alone, whose answers can be made to
// fail.
func StartOwn(t testing.TB) *mongotest.ReplicaSet {
	return mongotest.StartReplicaSet(t, 1, "--setParameter", "enableTestCommands=1")
}

// FailNext makes a server fail the next commands that a database's stores send.
// how names the commands, with Commands, and says how they fail.
func FailNext(t testing.TB, set *mongotest.ReplicaSet, database string, times int, how bson.D) {
	t.Helper()
	err := Client(t, set.URI()).Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "configureFailPoint", Value: "failCommand"},
		{Key: "mode", Value: bson.D{{Key: "times", Value: times}}},
		{Key: "data", Value: append(how, bson.E{Key: "appName", Value: "chirp/" + database})},
	}).Err()
	if err != nil {
		t.Fatal(err)
	}
}

// StopFailing ends what FailNext began.
func StopFailing(t testing.TB, set *mongotest.ReplicaSet) {
	t.Helper()
	off := bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: "off"}}
	if err := Client(t, set.URI()).Database("admin").RunCommand(t.Context(), off).Err(); err != nil {
		t.Fatal(err)
	}
}

// Commands are the names of the commands that fail.
func Commands(names ...string) bson.E { return bson.E{Key: "failCommands", Value: names} }
