package views

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// decoder is a row that decodes itself from its document. The driver's own decoding
// allocates several kilobytes for each document.
type decoder[R any] interface {
	*R
	// field takes over a field of the document, and returns false for a value of a wrong
	// type. It ignores fields that it does not know.
	field(key string, v bsoncore.Value) bool
}

// decode decodes a row. A field that is null or not there keeps its zero value.
func decode[R any, D decoder[R]](raw bson.Raw) (row R, err error) {
	return row, eachField(raw, D(&row).field)
}

// eachField calls f for every field of a document that is not null, until it returns
// false, which is an error.
func eachField(raw []byte, f func(key string, v bsoncore.Value) bool) error {
	size, rest, ok := bsoncore.ReadLength(raw)
	ok = ok && int(size) == len(raw) && size >= 5
	for ok && len(rest) > 1 {
		var e bsoncore.Element
		if e, rest, ok = bsoncore.ReadElement(rest); !ok {
			break
		}
		v, err := e.ValueErr()
		if err != nil {
			return fmt.Errorf("malformed BSON: %w", err)
		}
		if v.Type != bsoncore.TypeNull && !f(e.Key(), v) {
			return fmt.Errorf("the field %s has a BSON %s, which does not belong there", e.Key(), v.Type)
		}
	}
	if !ok {
		return fmt.Errorf("malformed BSON of %d bytes", len(raw))
	}
	return nil
}

func toInt(into *int64, v bsoncore.Value) (ok bool) {
	*into, ok = v.AsInt64OK()
	return ok
}

func toText(into *string, v bsoncore.Value) (ok bool) {
	*into, ok = v.StringValueOK()
	return ok
}

func toBool(into *bool, v bsoncore.Value) (ok bool) {
	*into, ok = v.BooleanOK()
	return ok
}

func toTime(into *time.Time, v bsoncore.Value) (ok bool) {
	ms, ok := v.DateTimeOK()
	*into = time.UnixMilli(ms)
	return ok
}

func (r *profileRow) field(key string, v bsoncore.Value) bool {
	switch key {
	case "_id":
		return toInt(&r.Key, v)
	case "id":
		return toText(&r.ID, v)
	case "username":
		return toText(&r.Username, v)
	case "folded":
		return toText(&r.Folded, v)
	case "joined":
		return toTime(&r.JoinedAt, v)
	case "celebrity":
		return toBool(&r.Celebrity, v)
	case "pull":
		return toBool(&r.PullSource, v)
	default:
		return r.count(key, v)
	}
}

// count is field for what changes with chirps and follows.
func (r *profileRow) count(key string, v bsoncore.Value) bool {
	switch key {
	case "followers":
		return toInt(&r.Followers, v)
	case "following":
		return toInt(&r.Following, v)
	case "chirps":
		return toInt(&r.Chirps, v)
	case "pushed":
		return toInt(&r.Pushed, v)
	case "split":
		return v.Type == bsoncore.TypeEmbeddedDocument && eachField(v.Data, r.Split.field) == nil
	case "next":
		return v.Type == bsoncore.TypeEmbeddedDocument && eachField(v.Data, r.NextSplit.field) == nil
	}
	return true
}

func (s *split) field(key string, v bsoncore.Value) bool {
	switch key {
	case "older":
		return toInt(&s.Older, v)
	case "skipped":
		return toInt(&s.Skipped, v)
	}
	return true
}

func (r *chirpRow) field(key string, v bsoncore.Value) bool {
	switch key {
	case "_id":
		return toInt(&r.Position, v)
	case "id":
		return toText(&r.ID, v)
	case "a":
		return toInt(&r.Author, v)
	case "d":
		return toInt(&r.Delivery, v)
	case "text":
		return toText(&r.Content, v)
	case "posted":
		return toTime(&r.PostedAt, v)
	}
	return true
}

func (r *followRow) field(key string, v bsoncore.Value) bool {
	switch key {
	case "_id":
		return v.Type == bsoncore.TypeEmbeddedDocument && eachField(v.Data, r.Pair.field) == nil
	case "r":
		return toInt(&r.Follower, v)
	case "e":
		return toInt(&r.Followee, v)
	case "s":
		return toInt(&r.Since, v)
	case "pull":
		return toBool(&r.Pull, v)
	case "older":
		return toInt(&r.Older, v)
	case "skipped":
		return toInt(&r.Skipped, v)
	case "merged":
		return toInt(&r.Merged, v)
	}
	return true
}

func (p *pair) field(key string, v bsoncore.Value) bool {
	switch key {
	case "r":
		return toInt(&p.Follower, v)
	case "e":
		return toInt(&p.Followee, v)
	}
	return true
}

// field takes over the chirp only, which is all that readers ask for.
func (r *timelineRow) field(key string, v bsoncore.Value) bool {
	return key != "p" || toInt(&r.Chirp, v)
}
