package integrity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// The log's document records that accounts have credentials and that there is a
// token secret, so that a loss of them can be told from a database that never had
// any: accounts of an outside identity provider have no credentials, nor have
// those of a log that was imported without them.

// accountsTried is how many credentials are read to find one of an account.
const accountsTried = 100

// adviceCredentials says how to restore lost credentials, and how to continue
// without them.
func adviceCredentials(field, consequence string) string {
	return fmt.Sprintf(`restore the collection from a backup; or, if there is none, continue without it (%s): db.%s.updateOne({_id: "%s"}, {$unset: {%s: ""}})`, consequence, format.LogCollection, format.LogID, field)
}

// credentialsError returns which credentials are lost, and what to do about it,
// or nil if none are.
func (f findings) credentialsError(database string) error {
	return lostError(database, f.lostPasswords, f.lostSecret)
}

func lostError(database string, lost ...string) error {
	lost = slices.DeleteFunc(lost, func(what string) bool { return what == "" })
	if len(lost) == 0 {
		return nil
	}
	return fmt.Errorf("the database %s has lost credentials: %s", database, strings.Join(lost, "; "))
}

// inspectCredentials checks that the credentials and the token secret are there
// if they were there before.
func (m *Monitor) inspectCredentials(ctx context.Context, uuids map[string]*bson.Binary, f *findings) error {
	var row format.LogDocument
	err := m.conn.DB().Collection(format.LogCollection).FindOne(ctx, bson.D{{Key: "_id", Value: format.LogID}}).Decode(&row)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return err
	}
	f.credentials = uuids[format.CredentialsCollection]
	err = m.inspectPasswords(ctx, row.Passwords, f)
	if err == nil {
		err = m.inspectSecret(ctx, row.Secret, f)
	}
	if conn.HasCode(err, conn.CodeUnauthorized) {
		return nil // a user who may not read them learns nothing about them
	}
	return err
}

// inspectPasswords checks the collection of the credentials. was is what the log's
// document records of it.
func (m *Monitor) inspectPasswords(ctx context.Context, was *format.PasswordMark, f *findings) error {
	lost := func(what string) {
		f.lostPasswords = what + ": " + adviceCredentials(format.PasswordsField,
			"users cannot log in with the passwords that are lost, and those who were disabled are enabled until chirp user disable")
	}
	switch {
	case f.credentials == nil && was == nil:
		f.lostPasswords = fmt.Sprintf("the collection %s is gone: restart a server, which creates it", format.CredentialsCollection)
		return nil
	case f.credentials == nil:
		lost(fmt.Sprintf("the collection %s is gone", format.CredentialsCollection))
		return nil
	}
	if was != nil {
		there, err := m.has(ctx, format.CredentialsCollection, was.User)
		if err != nil {
			return err
		}
		same := was.Collection != nil && was.Collection.Equal(*f.credentials)
		switch {
		case there && same:
			f.passwords = was
			return nil
		case there: // it was restored
			f.passwords, f.unrecorded = &format.PasswordMark{User: was.User, Collection: f.credentials}, true
			return nil
		case !same:
			lost(fmt.Sprintf("the collection %s was replaced by one without the credentials that it had", format.CredentialsCollection))
			return nil
		}
	}
	user, err := m.accountWithCredential(ctx)
	switch {
	case err != nil:
		return err
	case user != "":
		f.passwords, f.unrecorded = &format.PasswordMark{User: user, Collection: f.credentials}, true
	case was != nil:
		lost(fmt.Sprintf("the collection %s has lost the credentials that it had", format.CredentialsCollection))
	}
	return nil
}

// inspectSecret checks the token secret. was is set if the log's document records one.
func (m *Monitor) inspectSecret(ctx context.Context, was bool, f *findings) error {
	there, err := m.has(ctx, format.SecretsCollection, format.TokenSecretID)
	switch {
	case err != nil:
		return err
	case there:
		f.secret, f.unrecorded = true, f.unrecorded || !was
	case was:
		f.lostSecret = fmt.Sprintf("the token secret in the collection %s is gone: ", format.SecretsCollection) +
			adviceCredentials(format.SecretField, "a server that starts creates another one, and users must log in again")
	}
	return nil
}

// has reports whether a collection has a document.
func (m *Monitor) has(ctx context.Context, collection, id string) (bool, error) {
	err := m.conn.DB().Collection(collection).FindOne(ctx, bson.D{{Key: "_id", Value: id}}, options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}

// accountRow is what is read of a credential's document.
type accountRow struct {
	User string `bson:"_id"`
}

// accountWithCredential returns a user who has an account and a credential, or
// "". A confirmed credential belongs to an account; one that is not confirmed may
// be left over from a registration that failed.
func (m *Monitor) accountWithCredential(ctx context.Context) (user string, err error) {
	var rows []accountRow
	someone := bson.E{Key: "_id", Value: bson.D{{Key: "$ne", Value: ""}}} // see doc.go of package mongodb
	cursor, err := m.conn.DB().Collection(format.CredentialsCollection).Find(ctx, bson.D{someone}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(accountsTried).SetProjection(bson.D{{Key: "_id", Value: 1}}))
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
	err = m.conn.DB().Collection(format.EventsCollection).FindOne(ctx, registered).Decode(&event)
	if err == nil {
		return strings.TrimPrefix(event.Stream, string(domain.UserStream(""))), nil
	}
	if !errors.Is(err, mongo.ErrNoDocuments) || len(rows) < accountsTried {
		return "", ignoreNone(err)
	}
	var confirmed accountRow
	err = m.conn.DB().Collection(format.CredentialsCollection).FindOne(ctx, bson.D{{Key: "unconfirmedSince", Value: nil}, someone}).Decode(&confirmed)
	return confirmed.User, ignoreNone(err)
}

// ignoreNone maps the error that there is no document to nil.
func ignoreNone(err error) error {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	return err
}

// recordCredentials records beside the epoch which credentials there are.
func (m *Monitor) recordCredentials(ctx context.Context, epoch string, f findings) error {
	set := bson.D{}
	if f.passwords != nil {
		set = append(set, bson.E{Key: format.PasswordsField, Value: f.passwords})
	}
	if f.secret {
		set = append(set, bson.E{Key: format.SecretField, Value: true})
	}
	_, err := m.conn.DB().Collection(format.LogCollection).UpdateOne(ctx, bson.D{{Key: "_id", Value: format.LogID}, {Key: "epoch", Value: epoch}}, bson.D{{Key: "$set", Value: set}})
	return err
}

// ForgetPasswords calls discard, which removes all credentials on purpose, and
// removes the record that accounts had some. No check sees one without the other.
func (m *Monitor) ForgetPasswords(ctx context.Context, discard func(context.Context) error) error {
	m.checking.Lock()
	defer m.checking.Unlock()
	return m.conn.InSession(ctx, func(ctx context.Context) error {
		if err := discard(ctx); err != nil {
			return err
		}
		unset := bson.D{{Key: "$unset", Value: bson.D{{Key: format.PasswordsField, Value: ""}}}}
		_, err := m.conn.DB().Collection(format.LogCollection).UpdateByID(ctx, format.LogID, unset)
		return err
	})
}

// rememberCredentials takes over what a check found of the credentials, and logs
// what is new in it. m.mu is held.
func (m *Monitor) rememberCredentials(found findings) {
	lost := found.credentialsError(m.conn.DB().Name())
	switch {
	case lost != nil && (m.lost == nil || m.lost.Error() != lost.Error()):
		m.logger.Error("log-ins and registrations with a password are refused", "reason", lost)
	case lost == nil && m.lost != nil:
		m.logger.Info("log-ins and registrations with a password are accepted again: the credentials are there")
	}
	m.lost, m.lostPasswords = lost, lostError(m.conn.DB().Name(), found.lostPasswords)
	if m.lostPasswords == nil {
		m.credentials, m.passwords = found.credentials, found.passwords
	}
}

// CredentialsRefusal returns the error of a call that needs the credentials and the
// token secret, or nil if they are there.
func (m *Monitor) CredentialsRefusal() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return refusal(m.lost)
}

// AccessRefusal returns the error of a call that needs the users' access, or nil if
// that is there. The access is in the collection of the credentials, and does not need
// the token secret.
func (m *Monitor) AccessRefusal() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return refusal(m.lostPasswords)
}

func refusal(lost error) error {
	if lost == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", auth.ErrCredentialsLost, lost)
}

// CredentialsPin is Pin for the collection of the credentials. It also returns
// an account that has one, or "".
func (m *Monitor) CredentialsPin() (pin bson.D, user string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.base != nil && m.base.pins && m.credentials != nil {
		pin = bson.D{{Key: "collectionUUID", Value: m.credentials}}
	}
	if m.passwords != nil {
		user = m.passwords.User
	}
	return pin, user
}
