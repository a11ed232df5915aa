package mongodb

import (
	"bytes"
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/domain"
)

// FirstGap is firstGap of the store's guard.
func (s *Store) FirstGap(ctx context.Context) (domain.Position, error) { return s.guard.firstGap(ctx) }

// ThroughBSON turns JSON into BSON, has the driver check that, and turns it
// back.
func ThroughBSON(data []byte) ([]byte, error) {
	at, doc := bsoncore.AppendDocumentStart(nil)
	doc, err := appendJSON(doc, "data", data)
	if err != nil {
		return nil, err
	}
	if doc, err = bsoncore.AppendDocumentEnd(doc, at); err != nil {
		return nil, err
	}
	if err := bson.Raw(doc).Validate(); err != nil {
		return nil, fmt.Errorf("malformed BSON: %w", err)
	}
	var out bytes.Buffer
	err = writeJSON(&out, bsoncore.Document(doc).Lookup("data"))
	return out.Bytes(), err
}
