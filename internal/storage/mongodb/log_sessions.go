package mongodb

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/gate"
)

// sessions makes reads see at least what this process has seen or written
// before. Read concern majority alone does not promise that: a primary that
// was just elected may not know yet that the newest writes are committed, and
// then answers with an older moment.
type sessions struct {
	client       *mongo.Client
	gate         *gate.Gate
	transactions transactions

	mu      sync.Mutex
	time    *bson.Timestamp // the newest operation time seen
	cluster bson.Raw        // and the cluster time that proves it to the server
}

// run calls f with a context whose session makes the reads in it wait for what
// was seen. It gives up after answerTimeout, and f must not call run again.
func (s *sessions) run(ctx context.Context, f func(ctx context.Context) error) error {
	leave, err := s.gate.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	session, err := s.client.StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	if err := s.tell(session); err != nil {
		return err
	}
	err = f(mongo.NewSessionContext(ctx, session))
	s.saw(session)
	return err
}

// tell brings a session up to what was seen.
func (s *sessions) tell(session *mongo.Session) error {
	s.mu.Lock()
	time, cluster := s.time, s.cluster
	s.mu.Unlock()
	if time == nil {
		return nil
	}
	if err := session.AdvanceClusterTime(cluster); err != nil {
		return err
	}
	return session.AdvanceOperationTime(time)
}

// saw takes over what a session has seen.
func (s *sessions) saw(session *mongo.Session) {
	time, cluster := session.OperationTime(), session.ClusterTime()
	if time == nil || cluster == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.time == nil || time.After(*s.time) {
		s.time, s.cluster = time, cluster
	}
}
