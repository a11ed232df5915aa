package graph

import (
	"context"

	"chirp/graph/model"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
)

// register makes an account: for an outside identity that is calling, without
// a password, or for whoever will know the password.
func (r *Resolver) register(ctx context.Context, input model.RegisterUserInput) (*model.RegisterUserPayload, error) {
	m, err := meta(ctx, input.CommandID)
	if err != nil {
		return nil, err
	}
	c := command.RegisterUser{Meta: m, Username: input.Username}
	who, outside := auth.Identity(ctx)
	switch {
	case outside && input.Password != nil:
		return nil, domain.Errorf(domain.Invalid, "your token comes from an outside issuer, which stands for a password; leave the password out")
	case outside:
		c.Identity = who
	case !r.passwords:
		return nil, passwordsOff()
	case input.Password == nil:
		return nil, domain.Errorf(domain.Invalid, "there is no password; send one, or register with a token of an outside issuer that this server trusts")
	default:
		c.Password = *input.Password
	}
	registered, err := r.commands.RegisterUser(ctx, c)
	if err != nil {
		return nil, err
	}
	token, err := r.token(ctx, registered, c)
	return &model.RegisterUserPayload{User: userOf(registered.User, registered.Position), Token: token, Position: registered.Position}, err
}

// token gives a new user its token, nil for one with an outside identity: its
// issuer decides how long it is let in. Whoever repeats a registration must
// show that the account's password is theirs, for all that a command id proves
// is that it was overheard; that of an identity belongs to the identity.
func (r *Resolver) token(ctx context.Context, registered command.Registered, c command.RegisterUser) (*string, error) {
	var token string
	var err error
	switch {
	case c.Identity != domain.Identity{}:
		return nil, nil
	case registered.Repeated:
		token, err = r.auth.LogIn(ctx, registered.User.ID, c.Password)
	default:
		token, err = r.auth.Tokens.Issue(registered.User.ID)
	}
	return &token, err
}

// logIn gives a token to whoever knows a name's password. A name that nobody
// has or can have costs as much as a wrong password, and gives the same error.
func (r *Resolver) logIn(ctx context.Context, input model.LogInInput) (*model.LogInPayload, error) {
	if !r.passwords {
		return nil, passwordsOff()
	}
	user, err := r.commands.FindUser(ctx, input.Username)
	if kind := domain.KindOf(err); err != nil && kind != domain.NotFound && kind != domain.Invalid {
		return nil, err
	}
	token, err := r.auth.LogIn(ctx, user.ID, input.Password)
	if err != nil {
		return nil, err
	}
	return &model.LogInPayload{User: userOf(user, 0), Token: token}, nil
}

func passwordsOff() error {
	return domain.Errorf(domain.Forbidden, "passwords are switched off on this server; get a token from its issuer and send it as Authorization: Bearer …")
}
