package eventlog

import (
	"context"
	"errors"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"

	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// keptCommand is the size up to which the memory of an insert command is used again.
const keptCommand = 1 << 20

// insert inserts events into the collection that this process has opened. If that is
// gone, insert fails and does not create another one. It sends the command itself,
// because the driver's InsertMany copies and inspects every document.
func (l *Log) insert(inside context.Context, docs []format.Document) error {
	command, err := insertCommand(l.command[:0], docs, l.monitor.Pin())
	if err != nil {
		return err
	}
	if l.command = command; len(command) > keptCommand {
		l.command = nil
	}
	return insertError(l.events.Database().RunCommand(inside, bson.Raw(command)).Err())
}

// insertCommand appends an insert command with some further fields to dst.
func insertCommand(dst []byte, docs []format.Document, fields bson.D) ([]byte, error) {
	at, dst := bsoncore.AppendDocumentStart(dst)
	dst = bsoncore.AppendStringElement(dst, "insert", format.EventsCollection)
	list, dst := bsoncore.AppendArrayElementStart(dst, "documents")
	for i, d := range docs {
		dst = bsoncore.AppendDocumentElement(dst, strconv.Itoa(i), bsoncore.Document(d))
	}
	dst, err := bsoncore.AppendArrayEnd(dst, list)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		kind, value, err := bson.MarshalValue(f.Value)
		if err != nil {
			return nil, err
		}
		dst = bsoncore.AppendValueElement(dst, f.Key, bsoncore.Value{Type: bsoncore.Type(kind), Data: value})
	}
	return bsoncore.AppendDocumentEnd(dst, at)
}

// insertError returns the error of an insert command as the driver's own InsertMany
// would. Without that the errors of its documents would have none of the driver's public
// types.
func insertError(err error) error {
	var refused driver.WriteCommandError
	if !errors.As(err, &refused) {
		return err
	}
	bulk := mongo.BulkWriteException{Labels: refused.Labels}
	for _, w := range refused.WriteErrors {
		bulk.WriteErrors = append(bulk.WriteErrors, mongo.BulkWriteError{WriteError: mongo.WriteError{
			Index: int(w.Index), Code: int(w.Code), Message: w.Message, Details: bson.Raw(w.Details), Raw: bson.Raw(w.Raw),
		}})
	}
	return bulk
}

// onPosition reports whether an insert failed because of the unique index on _id.
func onPosition(err error) bool {
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) {
		return false
	}
	for _, w := range bulk.WriteErrors {
		if w.Code == conn.CodeDuplicateKey {
			_, err := w.Raw.LookupErr("keyPattern", "_id")
			return err == nil
		}
	}
	return false
}
