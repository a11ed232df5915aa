package format

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// UniqueIndex is a unique, ascending index of the events.
type UniqueIndex struct {
	Name   string
	Fields []string
	// Commands limits the index to the first events of appends, which carry
	// their command.
	Commands bool
}

// UniqueIndexes are all indexes of the events besides the one on _id. The log's
// promises rest on them.
var UniqueIndexes = []UniqueIndex{
	{Name: "stream_version", Fields: []string{"stream", "version"}},
	{Name: "actor_command", Fields: []string{"actor", "commandId"}, Commands: true},
}

// Filter returns what limits the index, nil if it has all documents.
func (i UniqueIndex) Filter() bson.D {
	if !i.Commands {
		return nil
	}
	return bson.D{{Key: "command", Value: Exists}}
}

// EventIndexes returns the UniqueIndexes as the driver creates them.
func EventIndexes() []mongo.IndexModel {
	var models []mongo.IndexModel
	for _, i := range UniqueIndexes {
		keys := bson.D{}
		for _, f := range i.Fields {
			keys = append(keys, bson.E{Key: f, Value: 1})
		}
		o := options.Index().SetName(i.Name).SetUnique(true)
		if i.Commands {
			o.SetPartialFilterExpression(i.Filter())
		}
		models = append(models, mongo.IndexModel{Keys: keys, Options: o})
	}
	return models
}
