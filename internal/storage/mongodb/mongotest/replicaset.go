package mongotest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const setName = "chirp"

// ReplicaSet is a replica set whose nodes a test can stop and start.
type ReplicaSet struct {
	Nodes []*Node
}

func startReplicaSet(nodes int, args []string) (*ReplicaSet, error) {
	binary, err := findBinary()
	if err != nil {
		return nil, err
	}
	cache := "1"
	if nodes > 1 {
		cache = "0.25"
	}
	args = append([]string{"--replSet", setName, "--wiredTigerCacheSizeGB", cache}, args...)
	if !slices.Contains(args, "--oplogSize") {
		args = append(args, "--oplogSize", "512")
	}
	set := &ReplicaSet{}
	for range nodes {
		n, err := startNode(binary, args)
		if err != nil {
			set.close()
			return nil, err
		}
		set.Nodes = append(set.Nodes, n)
	}
	if err := set.initiate(); err != nil {
		set.close()
		return nil, err
	}
	return set, nil
}

func (r *ReplicaSet) initiate() error {
	var members bson.A
	for i, n := range r.Nodes {
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: n.addr}})
	}
	config := bson.D{
		{Key: "_id", Value: setName},
		{Key: "members", Value: members},
		{Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: 1000}, {Key: "heartbeatIntervalMillis", Value: 200}}},
	}
	if _, err := admin(r.Nodes[0].URI(), bson.D{{Key: "replSetInitiate", Value: config}}); err != nil {
		return err
	}
	return r.await("one primary and no node behind", func(primary *Node, states []string) bool {
		for _, s := range states {
			if s != "PRIMARY" && s != "SECONDARY" {
				return false
			}
		}
		return primary != nil && len(states) == len(r.Nodes)
	})
}

// URI returns the connection string of the replica set.
func (r *ReplicaSet) URI() string {
	var addrs []string
	for _, n := range r.Nodes {
		addrs = append(addrs, n.addr)
	}
	return "mongodb://" + strings.Join(addrs, ",") + "/?replicaSet=" + setName
}

// Primary waits until there is a primary, and returns it.
func (r *ReplicaSet) Primary(t testing.TB) *Node {
	t.Helper()
	var found *Node
	err := r.await("a primary", func(primary *Node, _ []string) bool {
		found = primary
		return primary != nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// StepDown makes the primary step down, so that an election follows. In a set
// of one node the same node is elected again after a second.
func (r *ReplicaSet) StepDown(t testing.TB) {
	t.Helper()
	_, err := admin(r.Primary(t).URI(), bson.D{
		{Key: "replSetStepDown", Value: 1}, {Key: "secondaryCatchUpPeriodSecs", Value: 0}, {Key: "force", Value: true},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// OldestChange returns the time of the oldest change in the primary's oplog. A
// change stream cannot begin before it.
func (r *ReplicaSet) OldestChange(t testing.TB) time.Time {
	t.Helper()
	client, err := connect(r.Primary(t).URI())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer client.Disconnect(ctx)
	var oldest struct {
		At time.Time `bson:"wall"`
	}
	inOrder := options.FindOne().SetSort(bson.D{{Key: "$natural", Value: 1}})
	if err := client.Database("local").Collection("oplog.rs").FindOne(ctx, bson.D{}, inOrder).Decode(&oldest); err != nil {
		t.Fatal(err)
	}
	return oldest.At
}

// await asks the running nodes for their states until a condition holds.
func (r *ReplicaSet) await(what string, holds func(primary *Node, states []string) bool) error {
	var errs error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var primary *Node
		var states []string
		errs = nil
		for _, n := range r.Nodes {
			if n.process == nil {
				continue
			}
			state, writable, err := n.state()
			if err != nil {
				errs = errors.Join(errs, err)
				continue
			}
			if states = append(states, state); writable {
				primary = n
			}
		}
		if holds(primary, states) {
			return nil
		}
	}
	return fmt.Errorf("waited %s for %s: %w", patience, what, errs)
}

// state returns the node's role as it sees it, and whether it accepts writes.
func (n *Node) state() (name string, writable bool, err error) {
	hello, err := admin(n.URI(), bson.D{{Key: "hello", Value: 1}})
	if err != nil {
		return "", false, err
	}
	writable, _ = hello["isWritablePrimary"].(bool)
	secondary, _ := hello["secondary"].(bool)
	switch {
	case writable:
		return "PRIMARY", true, nil
	case secondary:
		return "SECONDARY", false, nil
	default:
		return "OTHER", false, nil
	}
}

func (r *ReplicaSet) close() {
	for _, n := range r.Nodes {
		n.close()
	}
}
