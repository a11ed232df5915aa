package format

import (
	"bytes"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// ThroughBSON encodes JSON as BSON, has the driver validate that, and decodes it
// again.
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
