package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
)

// The log's document keeps that accounts have credentials and that there is a
// token secret, so that credentials which were lost are not taken for ones that
// never were: the accounts of outside identities have none, nor have those of a
// log that was imported without.

// passwordsRow names an account with a credential, and the collection that has
// it. A credential of an account is never deleted by a server, so a collection
// that has it is the right one, or a restored copy.
type passwordsRow struct {
	User       string       `bson:"user"`
	Collection *bson.Binary `bson:"collection"`
}

// The fields of the log's document.
const (
	passwordsField = "passwords"
	secretField    = "secret"
)

// accountsTried is how many credentials are looked at for one of an account.
const accountsTried = 100

// adviceKept says what mends credentials that are lost, and how to go on
// without them.
func adviceKept(field, consequence string) string {
	return fmt.Sprintf(`restore the collection from a backup; or, if there is none, go on without (%s): db.%s.updateOne({_id: "%s"}, {$unset: {%s: ""}})`, consequence, logCollection, logID, field)
}

// unkept says which credentials are lost, and what to do about it; nil if none
// are.
func (f finding) unkept(database string) error {
	if len(f.unkeptParts) == 0 {
		return nil
	}
	return fmt.Errorf("the database %s has lost credentials: %s", database, strings.Join(f.unkeptParts, "; "))
}

// lookAtKept looks whether the credentials and the token secret are there that
// were there.
func (g *guard) lookAtKept(ctx context.Context, uuids map[string]*bson.Binary, f *finding) error {
	var row logRow
	err := g.db.Collection(logCollection).FindOne(ctx, bson.D{{Key: "_id", Value: logID}}).Decode(&row)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return err
	}
	f.credentials = uuids[credentialsCollection]
	err = g.lookAtPasswords(ctx, row.Passwords, f)
	if err == nil {
		err = g.lookAtSecret(ctx, row.Secret, f)
	}
	if hasCode(err, codeUnauthorized) {
		return nil // a user who may not read them learns nothing about them
	}
	return err
}

func (g *guard) lookAtPasswords(ctx context.Context, was *passwordsRow, f *finding) error {
	lost := func(what string) {
		f.unkeptParts = append(f.unkeptParts, what+": "+adviceKept(passwordsField, "accounts without their password cannot be got into"))
	}
	switch {
	case f.credentials == nil && was == nil:
		f.unkeptParts = append(f.unkeptParts, fmt.Sprintf("the collection %s is gone: restart a server, which makes it again", credentialsCollection))
		return nil
	case f.credentials == nil:
		lost(fmt.Sprintf("the collection %s is gone", credentialsCollection))
		return nil
	}
	if was != nil {
		there, err := g.has(ctx, credentialsCollection, was.User)
		if err != nil {
			return err
		}
		same := was.Collection != nil && was.Collection.Equal(*f.credentials)
		switch {
		case there && same:
			f.passwords = was
			return nil
		case there: // it was restored
			f.passwords, f.news = &passwordsRow{was.User, f.credentials}, true
			return nil
		case !same:
			lost(fmt.Sprintf("the collection %s was replaced by one without the credentials that it had", credentialsCollection))
			return nil
		}
	}
	user, err := g.accountWithCredential(ctx)
	switch {
	case err != nil:
		return err
	case user != "":
		f.passwords, f.news = &passwordsRow{user, f.credentials}, true
	case was != nil:
		lost(fmt.Sprintf("the collection %s has lost the credentials that it had", credentialsCollection))
	}
	return nil
}

func (g *guard) lookAtSecret(ctx context.Context, was bool, f *finding) error {
	there, err := g.has(ctx, secretsCollection, secretID)
	switch {
	case err != nil:
		return err
	case there:
		f.secret, f.news = true, f.news || !was
	case was:
		f.unkeptParts = append(f.unkeptParts, fmt.Sprintf("the token secret in the collection %s is gone: ", secretsCollection)+
			adviceKept(secretField, "a server that is started makes another one, and users log in again"))
	}
	return nil
}

// has reports whether a collection has a document.
func (g *guard) has(ctx context.Context, collection, id string) (bool, error) {
	err := g.db.Collection(collection).FindOne(ctx, bson.D{{Key: "_id", Value: id}}, options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}

// accountWithCredential returns a user who has both, or "". A credential that
// is confirmed has its account; one that is not may be left of a registration
// that failed.
func (g *guard) accountWithCredential(ctx context.Context) (user string, err error) {
	var rows []credentialRow
	cursor, err := g.db.Collection(credentialsCollection).Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(accountsTried).SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err == nil {
		err = cursor.All(ctx, &rows)
	}
	if err != nil || len(rows) == 0 {
		return "", err
	}
	streams := make(bson.A, len(rows))
	for i, r := range rows {
		streams[i] = string(domain.UserStream(domain.UserID(r.User)))
	}
	var event struct{ Stream string }
	registered := bson.D{{Key: "stream", Value: bson.D{{Key: "$in", Value: streams}}}, {Key: "version", Value: int64(1)}}
	err = g.db.Collection(eventsCollection).FindOne(ctx, registered).Decode(&event)
	if err == nil {
		return strings.TrimPrefix(event.Stream, string(domain.UserStream(""))), nil
	}
	if !errors.Is(err, mongo.ErrNoDocuments) || len(rows) < accountsTried {
		return "", ignoreNone(err)
	}
	var confirmed credentialRow
	err = g.db.Collection(credentialsCollection).FindOne(ctx, bson.D{{Key: "unconfirmedSince", Value: nil}}).Decode(&confirmed)
	return confirmed.User, ignoreNone(err)
}

func ignoreNone(err error) error {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	return err
}

// writeKept keeps beside the epoch what there is.
func (g *guard) writeKept(ctx context.Context, epoch string, f finding) error {
	set := bson.D{}
	if f.passwords != nil {
		set = append(set, bson.E{Key: passwordsField, Value: f.passwords})
	}
	if f.secret {
		set = append(set, bson.E{Key: secretField, Value: true})
	}
	_, err := g.db.Collection(logCollection).UpdateOne(ctx, bson.D{{Key: "_id", Value: logID}, {Key: "epoch", Value: epoch}}, bson.D{{Key: "$set", Value: set}})
	return err
}

// noteKept remembers what a look has found of the credentials, and logs what is
// new in it. g.mu is held.
func (g *guard) noteKept(found finding) {
	unkept := found.unkept(g.db.Name())
	switch {
	case unkept != nil && (g.unkept == nil || g.unkept.Error() != unkept.Error()):
		g.logger.Error("log-ins and registrations with a password are refused", "reason", unkept)
	case unkept == nil && g.unkept != nil:
		g.logger.Info("log-ins and registrations with a password are taken again: the credentials are there")
	}
	if g.unkept = unkept; unkept == nil {
		g.credentials, g.passwords = found.credentials, found.passwords
	}
}

// errUnkept is what callers get while credentials are lost.
var errUnkept = domain.Errorf(domain.Unavailable, "the passwords of the store cannot be relied on until the operator has mended it")

// keptRefusal is the error of a call that needs the credentials, nil if they
// are there.
func (g *guard) keptRefusal() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unkept == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errUnkept, g.unkept)
}

// keptPin is pin for the credentials, with a user who has one, or "".
func (g *guard) keptPin() (pin bson.D, user string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.base != nil && g.base.pins && g.credentials != nil {
		pin = bson.D{{Key: "collectionUUID", Value: g.credentials}}
	}
	if g.passwords != nil {
		user = g.passwords.User
	}
	return pin, user
}
