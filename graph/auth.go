package graph

import (
	"context"

	"chirp/graph/model"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
)

// register creates an account, either for the external identity that is calling or
// with a password.
func (r *Resolver) register(ctx context.Context, input model.RegisterUserInput) (*model.RegisterUserPayload, error) {
	m, err := commandMeta(ctx, input.CommandID)
	if err != nil {
		return nil, err
	}
	c := command.RegisterUser{Meta: m, Username: input.Username}
	who, outside := auth.Identity(ctx)
	switch {
	case outside && input.Password != nil:
		return nil, domain.Errorf(domain.Invalid, "your token comes from an external issuer and takes the place of a password; leave the password out")
	case outside:
		c.Identity = who
	case !r.passwords:
		return nil, errPasswordsOff()
	case input.Password == nil:
		return nil, domain.Errorf(domain.Invalid, "the password is missing; send one, or register with a token from an external issuer that this server trusts")
	default:
		c.Password = *input.Password
	}
	registered, err := r.commands.RegisterUser(ctx, c)
	if err != nil {
		return nil, err
	}
	token, err := r.token(ctx, registered, c)
	return &model.RegisterUserPayload{User: userFromLog(registered.User, registered.Position), Token: token, Position: registered.Position}, err
}

// token returns a token for a new user. It returns nil for an external identity,
// because its issuer decides how long it may call. A caller that repeats a
// registration must know the account's password, because anybody may have seen
// the command id.
func (r *Resolver) token(ctx context.Context, registered command.Registered, c command.RegisterUser) (*string, error) {
	var token string
	var err error
	switch {
	case c.Identity != domain.Identity{}:
		return nil, nil
	case registered.Repeated:
		token, err = r.auth.LogIn(ctx, registered.User.ID, c.Password)
	default:
		token, err = r.auth.Sessions.Start(ctx, registered.User.ID, 0)
	}
	return &token, err
}

// logIn returns a token if the password is that of the named account. A name that
// no account has takes as long as a wrong password, and returns the same error.
func (r *Resolver) logIn(ctx context.Context, input model.LogInInput) (*model.LogInPayload, error) {
	if !r.passwords {
		return nil, errPasswordsOff()
	}
	var user command.User
	find := func(ctx context.Context) (id domain.UserID, err error) {
		user, err = r.commands.FindUser(ctx, input.Username)
		return user.ID, err
	}
	token, err := r.auth.LogInByName(ctx, input.Username, find, input.Password)
	if err != nil {
		return nil, err
	}
	return &model.LogInPayload{User: userFromLog(user, 0), Token: token}, nil
}

func errPasswordsOff() error {
	return domain.Errorf(domain.Forbidden, "passwords are switched off on this server; get a token from its issuer and send it as Authorization: Bearer …")
}
