package mongodb

import "chirp/internal/gate"

// Gate returns the gate at which the callers of a store wait for a connection.
func Gate(s *Store) *gate.Gate { return s.conn.Gate() }
