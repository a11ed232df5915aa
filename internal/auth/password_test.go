package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

const password = "correct horse battery"

func mustHash(t testing.TB, p *auth.Passwords, password string) string {
	t.Helper()
	hash, err := p.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestAHashIsOfItsPasswordOnly(t *testing.T) {
	p := auth.NewPasswords(2)
	hash := mustHash(t, p, password)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(hash, password) {
		t.Errorf("got hash %q, want argon2id with 19 MiB, 2 passes and 1 lane in the PHC format", hash)
	}
	if again := mustHash(t, p, password); again == hash {
		t.Errorf("got the same hash %q twice, want a salt each", hash)
	}
	for _, c := range []struct {
		name, in string
		want     bool
	}{
		{"the password", password, true},
		{"another case", strings.ToUpper(password), false},
		{"a part of it", password[:len(password)-1], false},
		{"more than it", password + " ", false},
		{"nothing", "", false},
		{"a huge one", strings.Repeat("x", 1<<20), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := p.Verify(t.Context(), hash, c.in); err != nil || got != c.want {
				t.Errorf("Verify: got %t, error %v; want %t", got, err, c.want)
			}
		})
	}
}

func TestPasswordsMayBeAnyBytes(t *testing.T) {
	p := auth.NewPasswords(1)
	for _, in := range []string{"\xff\x00\xff\x00\xff\x00\xff\x00", strings.Repeat("\U0001F600", 256)} {
		if ok, err := p.Verify(t.Context(), mustHash(t, p, in), in); err != nil || !ok {
			t.Errorf("Verify %d bytes: got %t, error %v", len(in), ok, err)
		}
	}
	for _, in := range []string{"", "1234567", strings.Repeat("x", 1025)} {
		_, err := p.Hash(t.Context(), in)
		wantKind(t, "Hash", err, domain.Invalid)
	}
}

func TestVerifyReadsTheParametersOfTheHash(t *testing.T) {
	// Made by the reference implementation: argon2 somesalt -id -t 2 -m 16 -p 1.
	const foreign = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	p := auth.NewPasswords(1)
	if ok, err := p.Verify(t.Context(), foreign, "password"); err != nil || !ok {
		t.Errorf("Verify: got %t, error %v; want true", ok, err)
	}
	if ok, err := p.Verify(t.Context(), strings.Replace(foreign, "t=2", "t=3", 1), "password"); err != nil || ok {
		t.Errorf("Verify with another number of passes: got %t, error %v; want false", ok, err)
	}
}

func TestAnEmptyHashIsNobodys(t *testing.T) {
	p := auth.NewPasswords(1)
	for _, in := range []string{password, ""} {
		if ok, err := p.Verify(t.Context(), "", in); err != nil || ok {
			t.Errorf("Verify %q: got %t, error %v; want false", in, ok, err)
		}
	}
}

func TestADamagedHashIsAnError(t *testing.T) {
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	p := auth.NewPasswords(1)
	for _, c := range []struct{ name, hash string }{
		{"plain text", password},
		{"argon2i", "$argon2i$v=19$m=64,t=2,p=1$" + salt + "$" + key},
		{"bcrypt", "$2y$10$" + strings.Repeat("x", 53)},
		{"another version", "$argon2id$v=16$m=64,t=2,p=1$" + salt + "$" + key},
		{"no version", "$argon2id$m=64,t=2,p=1$" + salt + "$" + key},
		{"something before it", "x$argon2id$v=19$m=64,t=2,p=1$" + salt + "$" + key},
		{"something after it", "$argon2id$v=19$m=64,t=2,p=1$" + salt + "$" + key + "$"},
		{"too much memory", "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key},
		{"a little too much memory", "$argon2id$v=19$m=262145,t=2,p=1$" + salt + "$" + key},
		{"too little memory", "$argon2id$v=19$m=15,t=2,p=2$" + salt + "$" + key},
		{"no memory", "$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + key},
		{"too many passes", "$argon2id$v=19$m=64,t=17,p=1$" + salt + "$" + key},
		{"no passes", "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key},
		{"too many lanes", "$argon2id$v=19$m=1024,t=2,p=17$" + salt + "$" + key},
		{"lanes beyond a byte", "$argon2id$v=19$m=4096,t=2,p=257$" + salt + "$" + key},
		{"no lanes", "$argon2id$v=19$m=64,t=2,p=0$" + salt + "$" + key},
		{"a negative number", "$argon2id$v=19$m=64,t=-2,p=1$" + salt + "$" + key},
		{"a leading zero", "$argon2id$v=19$m=064,t=2,p=1$" + salt + "$" + key},
		{"a parameter less", "$argon2id$v=19$m=64,t=2$" + salt + "$" + key},
		{"a parameter more", "$argon2id$v=19$m=64,t=2,p=1,keyid=x$" + salt + "$" + key},
		{"parameters in another order", "$argon2id$v=19$t=2,m=64,p=1$" + salt + "$" + key},
		{"a short salt", "$argon2id$v=19$m=64,t=2,p=1$c29tZQ$" + key},
		{"a padded salt", "$argon2id$v=19$m=64,t=2,p=1$" + salt + "=$" + key},
		{"a salt with a newline", "$argon2id$v=19$m=64,t=2,p=1$" + salt[:4] + "\n" + salt[4:] + "$" + key},
		{"a salt written in another way", "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHR$" + key},
		{"a short key", "$argon2id$v=19$m=64,t=2,p=1$" + salt + "$c29tZXNhbHQ"},
		{"no key", "$argon2id$v=19$m=64,t=2,p=1$" + salt + "$"},
		{"a key that is not base64", "$argon2id$v=19$m=64,t=2,p=1$" + salt + "$" + strings.Repeat("*", 43)},
		{"a huge key", "$argon2id$v=19$m=64,t=2,p=1$" + salt + "$" + strings.Repeat("A", 1<<20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok, err := p.Verify(t.Context(), c.hash, password)
			if ok || err == nil || domain.KindOf(err) != domain.Internal {
				t.Errorf("got %t, error %v; want a fault of ours", ok, err)
			}
			if err != nil && strings.Contains(err.Error(), key) {
				t.Errorf("the message %q has the hash", err)
			}
		})
	}
}

// The test's bubble has a clock of its own, which goes on when all in it wait.
func TestPasswordsWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := auth.NewPasswords(1)
		release := auth.TakeTurn(p)
		begin := time.Now()
		_, err := p.Hash(t.Context(), password)
		wantKind(t, "Hash while all turns are taken", err, domain.Unavailable)
		if waited := time.Since(begin); waited < time.Second || waited > 10*time.Second {
			t.Errorf("waited %v, want a few seconds", waited)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Verify(ctx, "", password); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Verify while all turns are taken: got error %v, want that of ctx", err)
		}

		go func() {
			time.Sleep(time.Second)
			release()
		}()
		if _, err := p.Hash(t.Context(), password); err != nil {
			t.Errorf("Hash when a turn comes free: %v", err)
		}
	})
}

func TestManyPasswordsAtOnce(t *testing.T) {
	p := auth.NewPasswords(0) // one at a time all the same
	hash := mustHash(t, p, password)
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			if ok, err := p.Verify(t.Context(), hash, password); err != nil || !ok {
				t.Errorf("Verify: got %t, error %v", ok, err)
			}
		})
	}
	done.Wait()
}

func BenchmarkVerify(b *testing.B) {
	p := auth.NewPasswords(2)
	for name, hash := range map[string]string{"known": mustHash(b, p, password), "nobody": ""} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Verify(b.Context(), hash, "a wrong password"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
