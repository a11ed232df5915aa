package mongodb

import (
	"context"
	"log/slog"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// transactions knows which transactions of this process may be open on the
// server: those that were begun and not committed with an answer. The driver
// does not say whether an abort has arrived, and a commit without an answer may
// not have. MongoDB keeps an open transaction for a minute, in the way of
// whoever comes next, so the store ends them when it is closed.
type transactions struct {
	mu   sync.Mutex
	open map[string]bson.Raw // ids of sessions
}

// began notes that a session has begun a transaction.
func (t *transactions) began(session *mongo.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[string]bson.Raw{}
	}
	t.open[string(session.ID())] = session.ID()
}

// committed notes that the server has committed a session's transaction.
func (t *transactions) committed(session *mongo.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, string(session.ID()))
}

// end ends what may be open. It is called when nothing is under way any more;
// a session whose transaction is over loses nothing.
func (t *transactions) end(ctx context.Context, client *mongo.Client, logger *slog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sessions := bson.A{}
	for _, id := range t.open {
		sessions = append(sessions, id)
	}
	t.open = nil
	if len(sessions) == 0 {
		return
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "killSessions", Value: sessions}}).Err(); err != nil {
		logger.Warn("transactions may be left open on the server, which ends them after a minute", "error", err)
	}
}
