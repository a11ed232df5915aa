package command

import (
	"encoding/binary"
	"strconv"
	"testing"

	"chirp/internal/domain"
)

func TestKnownUsersAreBounded(t *testing.T) {
	var k known
	var last User
	for i := range maxKnown + 500 {
		var id [16]byte
		binary.BigEndian.PutUint32(id[12:], uint32(i))
		last = User{ID: domain.UserIDFrom(id), Username: "ann"}
		k.add(last)
		if got, ok := k.user(last.ID); !ok || got != last {
			t.Fatalf("user %d: got %+v, %t; want what was just added", i, got, ok)
		}
	}
	k.add(last) // again, which replaces no one
	if got := len(k.users); got != maxKnown {
		t.Errorf("got %d users remembered, want %d", got, maxKnown)
	}
}

func TestKnownIdentitiesAreBounded(t *testing.T) {
	var k known
	for i := range maxKnown + 500 {
		stream := domain.IdentityStream(domain.Identity{Issuer: "https://issuer.example", Subject: strconv.Itoa(i)})
		k.identify(stream, "user_x")
		if got, ok := k.identity(stream); !ok || got != "user_x" {
			t.Fatalf("identity %d: got %q, %t; want what was just added", i, got, ok)
		}
	}
	if got := len(k.identities); got != maxKnown {
		t.Errorf("got %d identities remembered, want %d", got, maxKnown)
	}
}
