package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/demo"
	"chirp/internal/domain"
)

// startDemo fills the store, or continues the demo in it, and logs how to log
// in. All its people have one password: hashing it is costly, so it is hashed
// once.
func startDemo(ctx context.Context, commands *command.Handler, a auth.Authenticator, log *slog.Logger) (*demo.Network, error) {
	hash, err := a.Passwords.Hash(ctx, demo.Password)
	if err != nil {
		return nil, fmt.Errorf("hash the demo's password: %w", err)
	}
	save := func(ctx context.Context, user domain.UserID, _ string) error {
		return a.Credentials.SaveCredential(ctx, user, hash, time.Now())
	}
	network, err := demo.Fill(ctx, demo.Config{Commands: commands, SaveCredential: save, Logger: log})
	if err != nil {
		return nil, err
	}
	log.Info("the demo's people are there; log in as any of them", "username", demo.Username, "password", demo.Password)
	return network, nil
}
