package cli

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/command"
)

// userFlags are the parts of the user command.
type userFlags struct {
	Disable userName `cmd:"" help:"End all sessions of a user, and refuse log-ins and every token of the user, those of an external issuer included."`
	Enable  userName `cmd:"" help:"Let a disabled user log in again."`
}

type userName struct {
	Name string `arg:"" help:"Username, in any case."`
}

// User disables or enables the user whom the config names. A server may be running.
func User(ctx context.Context, cfg Config, std Streams) (err error) {
	name, disable := cfg.User.Disable.Name, true
	if name == "" {
		name, disable = cfg.User.Enable.Name, false
	}
	store, err := openStore(ctx, cfg, cfg.logger(std.Err))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	user, err := (&command.Handler{Events: store.Log()}).FindUser(ctx, name)
	if err != nil {
		return fmt.Errorf("user: %w", err)
	}
	before, err := store.Credentials().Access(ctx, user.ID)
	if err == nil && (disable || before.Disabled) {
		err = store.Credentials().SetDisabled(ctx, user.ID, disable)
	}
	if err != nil {
		return fmt.Errorf("user: %w", err)
	}
	switch {
	case disable:
		fmt.Fprintf(std.Out, "%s (%s) is disabled; sessions ended: %d. Servers that are running follow within 2 seconds.\n", user.Username, user.ID, len(before.Sessions))
	case before.Disabled:
		fmt.Fprintf(std.Out, "%s (%s) is enabled, and can log in again.\n", user.Username, user.ID)
	default:
		fmt.Fprintf(std.Out, "%s (%s) was not disabled.\n", user.Username, user.ID)
	}
	return nil
}
