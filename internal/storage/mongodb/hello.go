package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
)

// hello is what a server says about its role.
type hello struct {
	// SetName is empty on a server that is in no replica set, or in one that
	// was not initiated.
	SetName string `bson:"setName"`
	// Replicating is set when the server was started with --replSet but the
	// set was not initiated.
	Replicating bool `bson:"isreplicaset"`
	// Msg is "isdbgrid" on the router of a sharded cluster, which has
	// transactions and change streams as well.
	Msg string `bson:"msg"`
}

// checkReplicaSet returns an error unless the server has transactions and change
// streams. To a driver that looks for a replica set, a server outside one does
// not exist, so when no primary is found each server is asked directly.
func checkReplicaSet(ctx context.Context, client *mongo.Client, uri string) error {
	asking, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	h, err := sayHello(asking, client)
	if err == nil {
		return h.check(options.Client().ApplyURI(uri).Hosts)
	}
	if conn.AuthRefused(err) {
		return domain.Errorf(domain.Invalid, "MongoDB refused the user or the password of the URI: %v", err)
	}
	if ctx.Err() != nil || !conn.Transient(err) {
		return conn.Translate(ctx, "ask MongoDB for its role", err)
	}
	for _, host := range options.Client().ApplyURI(uri).Hosts {
		if err := checkHost(ctx, uri, host); err != nil {
			return err
		}
	}
	return conn.Unavailable("look for the primary of the replica set", err)
}

// checkHost asks one server for its role, whatever set it should be in. A server
// that does not answer is no error.
func checkHost(ctx context.Context, uri, host string) error {
	ctx, cancel := context.WithTimeout(ctx, conn.AnswerTimeout/5)
	defer cancel()
	o := options.Client().ApplyURI(uri).SetHosts([]string{host}).SetReplicaSet("").SetDirect(true)
	client, err := mongo.Connect(o)
	if err != nil {
		return nil
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	h, err := sayHello(ctx, client)
	if err != nil {
		return nil
	}
	if err := h.check([]string{host}); err != nil {
		return err
	}
	if want := options.Client().ApplyURI(uri).ReplicaSet; want != nil && *want != h.SetName {
		return domain.Errorf(domain.Invalid, "MongoDB at %s belongs to the replica set %q, not to %q: correct replicaSet= in the URI", host, h.SetName, *want)
	}
	return nil
}

// sayHello asks a server for its role.
func sayHello(ctx context.Context, client *mongo.Client) (hello, error) {
	var h hello
	err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&h)
	return h, err
}

// check returns an error, with what to do, unless the server is in a replica set
// or a sharded cluster.
func (h hello) check(hosts []string) error {
	switch {
	case h.SetName != "" || h.Msg == "isdbgrid":
		return nil
	case h.Replicating:
		return &domain.Error{Kind: domain.Unavailable, Msg: fmt.Sprintf(
			"MongoDB at %v waits for its replica set to be initiated: run mongosh --host %s --eval 'rs.initiate()'", hosts, hosts[0])}
	default:
		return domain.Errorf(domain.Invalid,
			"MongoDB at %v is not a replica set, which transactions and change streams need: start it with mongod --replSet rs0, then run mongosh --host %s --eval 'rs.initiate()'",
			hosts, hosts[0])
	}
}
