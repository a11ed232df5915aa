// Package conn is what the parts of a store share of its connection to the
// database: sessions whose reads never go back in time, a record of the
// transactions that may still be open on the server, and the meaning of the
// server's errors.
package conn

import (
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"chirp/internal/gate"
)

// AnswerTimeout bounds every call to the database, so that a caller learns of
// an outage and does not hang.
const AnswerTimeout = 5 * time.Second

// Conn is one process's connection to one database. It is safe for concurrent
// use.
type Conn struct {
	client *mongo.Client
	db     *mongo.Database
	gate   *gate.Gate

	mu            sync.Mutex
	operationTime *bson.Timestamp // the newest one seen
	clusterTime   bson.Raw        // which proves operationTime to the server

	transactions openTransactions
}

// New returns a connection to a database, whose callers wait at the gate.
func New(client *mongo.Client, database string, g *gate.Gate) *Conn {
	return &Conn{client: client, db: client.Database(database), gate: g}
}

// Client returns the driver's client.
func (c *Conn) Client() *mongo.Client { return c.client }

// DB returns the database.
func (c *Conn) DB() *mongo.Database { return c.db }

// Admin returns the server's admin database, for commands about the server
// itself, which take no read concern but local.
func (c *Conn) Admin() *mongo.Database {
	return c.client.Database("admin", options.Database().SetReadConcern(readconcern.Local()))
}

// Gate returns what callers wait at.
func (c *Conn) Gate() *gate.Gate { return c.gate }
