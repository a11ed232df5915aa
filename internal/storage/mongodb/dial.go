package mongodb

import (
	"errors"
	"net"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/storage/mongodb/conn"
)

// selectTimeout is how long a call waits for a primary. It is shorter than
// conn.AnswerTimeout, so that the error names the election or the outage.
const selectTimeout = 4 * time.Second

const (
	// poolSize is how many connections the driver opens if the URI has no
	// maxPoolSize.
	poolSize = 100
	// ownConnections is how many of them clients must leave to the server's own
	// work: the change stream, the commits, the projector, the live hub.
	ownConnections = 16
)

// dial returns a connection that reads and writes as the contracts require,
// whatever the URI says. It does not connect yet.
func dial(uri, database, app string) (*conn.Conn, error) {
	journaled := true
	o := options.Client().ApplyURI(uri).
		SetAppName(app).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled}).
		SetServerSelectionTimeout(selectTimeout).
		SetConnectTimeout(selectTimeout).
		SetHeartbeatInterval(500 * time.Millisecond)
	client, err := mongo.Connect(o)
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return nil, conn.Unavailable("connect to MongoDB", err)
	}
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "the MongoDB URI is malformed (%v); write it as mongodb://host:27017/?replicaSet=rs0", err)
	}
	if database == "" {
		return nil, domain.Errorf(domain.Invalid, "the name of the MongoDB database is empty")
	}
	return conn.New(client, database, newGate(o.MaxPoolSize)), nil
}

// newGate returns a gate for a pool of connections, whose size may be nil or 0
// for the driver's default or no limit. Clients get one half of a small pool.
func newGate(size *uint64) *gate.Gate {
	connections := poolSize
	if size != nil && *size > 0 && *size < poolSize {
		connections = int(*size)
	}
	own := min(ownConnections, connections/2)
	return gate.New("mongodb", connections-own, own)
}

// appName is the application name under which MongoDB knows the servers that use
// a database.
func appName(database string) string { return "chirp/" + database }

// setUpCodes are the errors of a server that cannot be used as it is set up, or
// not with the rights of this user. They end a start at once; a server that runs
// has seen it work and waits.
var setUpCodes = []int{
	13,  // Unauthorized
	20,  // IllegalOperation, such as a transaction without a replica set
	59,  // CommandNotFound
	67,  // CannotCreateIndex
	85,  // IndexOptionsConflict
	86,  // IndexKeySpecsConflict
	115, // CommandNotSupported
}

// refuseSetUp turns an error of setUpCodes, which waiting does not fix, into one of
// kind Invalid. It returns any other error as it is.
func refuseSetUp(err error) error {
	var server mongo.ServerError
	if !errors.As(err, &server) || !slices.ContainsFunc(setUpCodes, server.HasErrorCode) {
		return err
	}
	return domain.Errorf(domain.Invalid, "MongoDB cannot be used as it is set up, or not by the user of the URI: %v", server)
}
