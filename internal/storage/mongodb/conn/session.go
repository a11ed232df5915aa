package conn

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// InSession calls f with a context that carries a session, whose reads see at
// least what this process has seen or written before. Read concern majority
// alone does not promise that: a primary that was just elected may not know yet
// that the newest writes are committed, and then answers with an older state.
//
// InSession waits at the gate and gives up after AnswerTimeout. f must not call
// it again, because its caller already holds a place at the gate.
func (c *Conn) InSession(ctx context.Context, f func(ctx context.Context) error) error {
	leave, err := c.gate.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	session, err := c.client.StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	if err := c.advance(session); err != nil {
		return err
	}
	err = f(mongo.NewSessionContext(ctx, session))
	c.Observe(session)
	return err
}

// advance makes a session's reads wait for the newest operation time seen.
func (c *Conn) advance(session *mongo.Session) error {
	c.mu.Lock()
	operation, cluster := c.operationTime, c.clusterTime
	c.mu.Unlock()
	if operation == nil {
		return nil
	}
	if err := session.AdvanceClusterTime(cluster); err != nil {
		return err
	}
	return session.AdvanceOperationTime(operation)
}

// Observe notes the operation time that a session has reached, so that the
// sessions of InSession see what it saw or wrote.
func (c *Conn) Observe(session *mongo.Session) {
	operation, cluster := session.OperationTime(), session.ClusterTime()
	if operation == nil || cluster == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.operationTime == nil || operation.After(*c.operationTime) {
		c.operationTime, c.clusterTime = operation, cluster
	}
}
