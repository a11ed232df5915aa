package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
)

// hello is what a server says of its role.
type hello struct {
	// SetName is empty on a server that is in no replica set, or in one that
	// was not initiated.
	SetName string `bson:"setName"`
	// Replicating is set when the server was started with --replSet but the
	// set was not initiated.
	Replicating bool `bson:"isreplicaset"`
	// Msg is "isdbgrid" on the router of a sharded cluster, which has what we
	// need as well.
	Msg string `bson:"msg"`
}

// checkReplicaSet says whether the server is one that has transactions and
// change streams. A driver that looks for a replica set sees a server outside
// one as no server at all, so when no primary is found each server is asked.
func (s *Store) checkReplicaSet(ctx context.Context, uri string) error {
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	h, err := sayHello(asking, s.client)
	if err == nil {
		return h.check(options.Client().ApplyURI(uri).Hosts)
	}
	if refused(err) {
		return domain.Errorf(domain.Invalid, "MongoDB refused the user or the password of the URI: %v", err)
	}
	if ctx.Err() != nil || !passing(err) {
		return translate(ctx, "ask MongoDB for its role", err)
	}
	for _, host := range options.Client().ApplyURI(uri).Hosts {
		if err := checkHost(ctx, uri, host); err != nil {
			return err
		}
	}
	return unavailable("look for the primary of the replica set", err)
}

// checkHost asks one server for its role, whatever set it should be in. One
// that gives no answer is no error.
func checkHost(ctx context.Context, uri, host string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout/5)
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

func sayHello(ctx context.Context, client *mongo.Client) (hello, error) {
	var h hello
	err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&h)
	return h, err
}

// check gives an error, with what to do, unless the server is in a replica set
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
