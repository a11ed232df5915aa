package mongodb

import (
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/gate"
)

// Gate returns the gate at which the callers of a store wait for a connection.
func Gate(s *Store) *gate.Gate { return s.conn.Gate() }

// Database returns the database of a store.
func Database(s *Store) *mongo.Database { return s.conn.DB() }
