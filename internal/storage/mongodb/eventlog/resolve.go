package eventlog

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// branches is the most conditions that one query joins with $or.
const branches = 100

// answerUnwritable answers the appends of a group whose command was committed before
// or whose streams have moved on, and returns the others. What it reads is exact if
// the transaction commits, because the transaction has read the end of the log.
func (l *Log) answerUnwritable(inside context.Context, group []*job) ([]*job, error) {
	repeated, err := l.repeated(inside, group)
	if err != nil {
		return group, fmt.Errorf("look for repeated commands: %w", err)
	}
	moved, err := l.moved(inside, group)
	if err != nil {
		return group, fmt.Errorf("look for streams that moved on: %w", err)
	}
	var writable []*job
	for _, j := range group {
		p := j.Work
		conflict := p.conflict(moved)
		switch {
		case repeated[p.append.Command.CommandKey]:
			l.background.Go(func() { l.answerRepeat(j) })
		case conflict != nil:
			j.Finish(conflict)
		default:
			p.inDoubt = false // the attempt that was in doubt was not committed
			writable = append(writable, j)
		}
	}
	return writable, nil
}

// repeated returns which of a group's commands are in the log.
func (l *Log) repeated(inside context.Context, group []*job) (map[eventstore.CommandKey]bool, error) {
	var keys []bson.D
	for _, j := range group {
		keys = append(keys, keyFilter(j.Work.append.Command.CommandKey))
	}
	found := map[eventstore.CommandKey]bool{}
	fields := bson.D{{Key: "actor", Value: 1}, {Key: "commandId", Value: 1}}
	err := l.findAny(inside, bson.D{{Key: "command", Value: format.Exists}}, keys, fields, func(raw bson.Raw) {
		found[eventstore.CommandKey{Actor: text(raw, "actor"), ID: text(raw, "commandId")}] = true
	})
	return found, err
}

// moved returns the versions of those of a group's streams that have moved on beyond
// the expected version.
func (l *Log) moved(inside context.Context, group []*job) (map[domain.StreamID]int64, error) {
	var next []bson.D
	for _, j := range group {
		for stream, expected := range j.Work.append.Streams() {
			next = append(next, bson.D{{Key: "stream", Value: string(stream)}, {Key: "version", Value: expected + 1}})
		}
	}
	versions := map[domain.StreamID]int64{}
	fields := bson.D{{Key: "_id", Value: 0}, {Key: "stream", Value: 1}}
	err := l.findAny(inside, nil, next, fields, func(raw bson.Raw) {
		versions[domain.StreamID(text(raw, "stream"))] = 0
	})
	for stream := range versions {
		if err == nil {
			versions[stream], err = l.version(inside, stream)
		}
	}
	return versions, err
}

// findAny calls f for every event that meets a condition and at least one of the
// alternatives.
func (l *Log) findAny(inside context.Context, condition bson.D, alternatives []bson.D, fields bson.D, f func(bson.Raw)) error {
	for len(alternatives) > 0 {
		n := min(len(alternatives), branches)
		filter := append(bson.D{{Key: "$or", Value: alternatives[:n]}}, condition...)
		alternatives = alternatives[n:]
		cursor, err := l.events.Find(inside, filter, options.Find().SetProjection(fields).SetBatchSize(branches+1))
		if err != nil {
			return err
		}
		for cursor.Next(inside) {
			f(cursor.Current)
		}
		if err := cursor.Err(); err != nil {
			return err
		}
		if err := cursor.Close(inside); err != nil {
			return err
		}
	}
	return nil
}

// text returns a string field, or "".
func text(raw bson.Raw, key string) string {
	s, _ := raw.Lookup(key).StringValueOK()
	return s
}

// conflict returns the error of an append one of whose streams has moved on, or nil.
func (p *pending) conflict(moved map[domain.StreamID]int64) error {
	for stream, expected := range p.append.Streams() {
		if actual, ok := moved[stream]; ok {
			return &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
		}
	}
	return nil
}

// answerRepeat answers an append with the earlier commit of its command. That was
// seen inside a transaction, so a rollback may still undo it: answerRepeat waits until
// a majority has it.
func (l *Log) answerRepeat(j *job) {
	ctx, cancel := context.WithTimeout(gate.Own(context.Background()), conn.AnswerTimeout)
	defer cancel()
	for ctx.Err() == nil {
		commit, err := l.findRepeat(ctx, j.Work, errNoAnswer)
		if err == nil { // the earlier commit may be our own, not confirmed yet
			err = <-l.monitor.ConfirmIndexes(ctx)
		}
		if !errors.Is(err, errNoAnswer) {
			j.Work.commit = commit
			j.Finish(err)
			return
		}
		outage.Pause(ctx, retryPause)
	}
	j.Finish(errNoAnswer)
}
