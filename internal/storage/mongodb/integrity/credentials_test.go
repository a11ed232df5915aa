package integrity_test

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/auth"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/storetest"
)

// TestACredentialWithoutAnAccountMayBeDeleted deletes the credential of a registration
// that failed, as the sweep does. After that no credential is missing.
func TestACredentialWithoutAnAccountMayBeDeleted(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	credentials := store.Credentials()
	if err := credentials.SaveCredential(t.Context(), "user_failed", "hash", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := credentials.Secret(t.Context(), []byte("a secret")); err != nil {
		t.Fatal(err)
	}
	log := db.Collection("log")
	storetest.Eventually(t, "a look has found the secret", func() bool { return log.FindOne(t.Context(), bson.D{{Key: "secret", Value: true}}).Err() == nil })
	if err := log.FindOne(t.Context(), bson.D{{Key: "passwords", Value: nil}}).Err(); err != nil {
		t.Errorf("the log's document without a mark of credentials: got error %v, want it, because no account has one", err)
	}
	if err := credentials.DeleteCredential(t.Context(), "user_failed"); err != nil {
		t.Fatal(err)
	}
	storetest.MustAppend(t, store.Log(), storetest.To("user:user_kept", 0, "registration"))
	if hash, err := credentials.Credential(t.Context(), "user_failed"); !errors.Is(err, auth.ErrNoCredential) {
		t.Errorf("Credential: got %q, error %v; want ErrNoCredential", hash, err)
	}
	if err := credentials.SaveCredential(t.Context(), "user_kept", "hash", time.Now()); err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, "the mark is an account that has a credential", func() bool {
		return !errors.Is(log.FindOne(t.Context(), bson.D{{Key: "passwords.user", Value: "user_kept"}}).Err(), mongo.ErrNoDocuments)
	})
	if got := store.Problems(); len(got) > 0 {
		t.Errorf("Problems: got %q, want none", got)
	}
}

// TestDiscardedCredentialsAreNotLost discards the credential of an account, of which the
// log's document has a record.
func TestDiscardedCredentialsAreNotLost(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	storetest.MustAppend(t, store.Log(), storetest.To("user:user_kept", 0, "registration"))
	if err := store.Credentials().SaveCredential(t.Context(), "user_kept", "hash", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Credentials().Secret(t.Context(), []byte("a secret")); err != nil {
		t.Fatal(err)
	}
	log := db.Collection("log")
	storetest.Eventually(t, "the log's document records both", func() bool {
		return log.FindOne(t.Context(), bson.D{{Key: "passwords.user", Value: "user_kept"}, {Key: "secret", Value: true}}).Err() == nil
	})
	if err := store.Credentials().Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := log.FindOne(t.Context(), bson.D{{Key: "passwords", Value: nil}, {Key: "secret", Value: true}}).Err(); err != nil {
		t.Errorf("the log's document with a record of the secret alone: got error %v, want it", err)
	}
	again, closeAgain := storetest.Open(t, db.Name())
	defer closeAgain()
	for _, s := range []*mongodb.Store{store, again} {
		if hash, err := s.Credentials().Credential(t.Context(), "user_kept"); !errors.Is(err, auth.ErrNoCredential) || len(s.Problems()) > 0 {
			t.Errorf("Credential: got %q, error %v, with the problems %q; want ErrNoCredential and none", hash, err, s.Problems())
		}
	}
}
