package conn

import (
	"context"
	"log/slog"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// openTransactions records which transactions of this process may be open on
// the server: those that were begun and whose commit was not answered. The
// driver does not report whether an abort arrived, and a commit without an
// answer may not have arrived either. MongoDB keeps an open transaction for a
// minute, and its writes conflict with everyone else's until then, so the store
// ends them when it is closed.
type openTransactions struct {
	mu       sync.Mutex
	sessions map[string]bson.Raw // by their ids, with them
}

// Began notes that a session has begun a transaction.
func (c *Conn) Began(session *mongo.Session) {
	t := &c.transactions
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions == nil {
		t.sessions = map[string]bson.Raw{}
	}
	t.sessions[string(session.ID())] = session.ID()
}

// Committed notes that the server has committed a session's transaction.
func (c *Conn) Committed(session *mongo.Session) {
	c.transactions.mu.Lock()
	defer c.transactions.mu.Unlock()
	delete(c.transactions.sessions, string(session.ID()))
}

// EndTransactions ends the transactions that may be open. It must be called
// when no other call is in progress. It may end sessions whose transaction is
// over already, which does no harm.
func (c *Conn) EndTransactions(ctx context.Context, logger *slog.Logger) {
	t := &c.transactions
	t.mu.Lock()
	defer t.mu.Unlock()
	sessions := bson.A{}
	for _, id := range t.sessions {
		sessions = append(sessions, id)
	}
	t.sessions = nil
	if len(sessions) == 0 {
		return
	}
	if err := c.client.Database("admin").RunCommand(ctx, bson.D{{Key: "killSessions", Value: sessions}}).Err(); err != nil {
		logger.Warn("transactions may be left open on the server, which ends them after a minute", "error", err)
	}
}
