package mongotest_test

import (
	"context"
	"os"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/storage/mongodb/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

func TestSharedServerRunsTransactions(t *testing.T) {
	ctx := t.Context()
	client := connect(t, mongotest.URI(t))
	things := client.Database(mongotest.Database(t)).Collection("things")
	err := client.UseSession(ctx, func(ctx context.Context) error {
		_, err := mongo.SessionFromContext(ctx).WithTransaction(ctx, func(ctx context.Context) (any, error) {
			return things.InsertOne(ctx, bson.D{{Key: "_id", Value: 1}})
		})
		return err
	})
	if err != nil {
		t.Fatalf("a transaction on the shared server: %v", err)
	}
	if n, err := things.CountDocuments(ctx, bson.D{}); n != 1 || err != nil {
		t.Errorf("documents after the transaction = %d, %v; want 1", n, err)
	}
}

func TestReplicaSetElectsAnotherPrimaryAfterKill(t *testing.T) {
	set := mongotest.StartReplicaSet(t, 3)
	first := set.Primary(t)
	first.Kill()
	second := set.Primary(t)
	if second == first {
		t.Errorf("the primary after the kill is %s again, which was killed", first.Addr())
	}
	first.Restart(t)
	if _, err := connect(t, set.URI()).Database("x").Collection("y").InsertOne(t.Context(), bson.D{}); err != nil {
		t.Errorf("a write after the election: %v", err)
	}
}

func TestPlainServerIsNoReplicaSet(t *testing.T) {
	var hello bson.M
	client := connect(t, mongotest.StartPlain(t).URI())
	if err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	if name, ok := hello["setName"]; ok {
		t.Errorf("the plain server belongs to the replica set %v", name)
	}
}

func connect(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}
