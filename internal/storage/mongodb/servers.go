package mongodb

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// stopWait is how long an import waits for servers that are stopping.
const stopWait = 3 * time.Second

// checkNoServers returns an error if servers use the database, because they would
// not notice that an import replaces its log.
func (s *Store) checkNoServers(ctx context.Context) error {
	for end := time.Now().Add(stopWait); ; outage.Pause(ctx, stopWait/20) {
		servers, err := s.servers(ctx)
		if err != nil {
			return conn.Translate(ctx, "look for servers that use the database", err)
		}
		if len(servers) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return domain.Errorf(domain.Invalid, "servers use the database %s (from %s): stop them before the import, and start them after it",
				s.conn.DB().Name(), strings.Join(servers, ", "))
		}
	}
}

// servers returns the addresses from which servers are connected.
func (s *Store) servers(ctx context.Context) ([]string, error) {
	cursor, err := s.conn.Admin().Aggregate(ctx, mongo.Pipeline{
		{{Key: "$currentOp", Value: bson.D{{Key: "allUsers", Value: false}, {Key: "idleConnections", Value: true}}}},
		{{Key: "$match", Value: bson.D{{Key: "appName", Value: appName(s.conn.DB().Name())}, {Key: "client", Value: format.Exists}}}},
		{{Key: "$project", Value: bson.D{{Key: "client", Value: 1}}}},
	})
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Client string `bson:"client"`
	}
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, err
	}
	var hosts []string
	for _, r := range rows {
		host, _, _ := strings.Cut(r.Client, ":")
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}
