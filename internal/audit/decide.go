package audit

import (
	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
)

// decide decides again on the command whose append is complete, and returns a
// refusal unless the append has the command's actor and events.
func (a *Audit) decide() *Refusal {
	first := a.append[0]
	decided, actor, err := a.command()
	switch {
	case err != nil:
		return refuse(first.Event, "its command is refused: %v", err)
	case first.Actor != actor:
		return refuse(first.Event, "its actor is %.128q, and only %s can cause it", first.Actor, actor)
	case len(a.append) < len(decided):
		return refuse(first.Event, "its append lacks the event %s", decided[len(a.append)].WireName())
	case a.Used(first.Actor, first.CommandID):
		return refuse(first.Event, "its actor has used the command id %q before", first.CommandID)
	}
	for i, r := range a.append {
		if i >= len(decided) || r.fact != decided[i] {
			return refuse(r.Event, "it is not what the command of its append causes")
		}
		if has := a.Version(r.Stream); r.Version != has+1 {
			return refuse(r.Event, "it is version %d of stream %s, which is at version %d", r.Version, r.Stream, has)
		}
	}
	return nil
}

// command finds the command that would append the first event, and returns what
// that appends, and its actor.
func (a *Audit) command() (decided []domain.Event, actor string, err error) {
	switch fact := a.append[0].fact.(type) {
	case domain.UserRegistered:
		return a.register(fact)
	case domain.ChirpPosted:
		if err := a.registered(fact.AuthorID); err != nil {
			return nil, "", err
		}
		var chirp aggregate.Chirp
		if a.Version(fact.Stream()) > 0 {
			chirp.ID = fact.ChirpID
		}
		decided, err = chirp.Post(fact.ChirpID, fact.AuthorID, fact.Content)
		return decided, string(fact.AuthorID), err
	case domain.UserFollowed:
		return a.changeFollow(fact.FollowerID, fact.FolloweeID, aggregate.FollowRelationship.Follow)
	case domain.UserUnfollowed:
		return a.changeFollow(fact.FollowerID, fact.FolloweeID, aggregate.FollowRelationship.Unfollow)
	case domain.UsernameReserved, domain.IdentityReserved:
		return nil, "", domain.Errorf(domain.Invalid, "no registration precedes it in its append")
	default:
		return nil, "", &domain.UnknownEventError{WireName: fact.WireName()}
	}
}

// register decides again on a registration, with the identity that its append
// reserves, if any.
func (a *Audit) register(fact domain.UserRegistered) (decided []domain.Event, actor string, err error) {
	if a.Version(fact.Stream()) > 0 {
		return nil, "", domain.Errorf(domain.Invalid, "user %s is registered already", fact.UserID)
	}
	var reservation aggregate.User
	if a.Version(domain.UsernameStream(fact.Username)) > 0 {
		reservation.ID = fact.UserID
	}
	if decided, err = reservation.Register(fact.UserID, fact.Username); err != nil {
		return nil, "", err
	}
	var who domain.Identity
	if len(a.append) > len(decided) {
		if reserved, ok := a.append[len(decided)].fact.(domain.IdentityReserved); ok {
			who = reserved.Identity()
			identified, err := a.identities[reserved.Stream()].Reserve(fact.UserID, who)
			if err != nil {
				return nil, "", err
			}
			decided = append(decided, identified...)
		}
	}
	return decided, domain.RegistrationActor(fact.Username, who), nil
}

func (a *Audit) changeFollow(follower, followee domain.UserID,
	rule func(f aggregate.FollowRelationship, follower, followee domain.UserID) ([]domain.Event, error),
) (decided []domain.Event, actor string, err error) {
	for _, user := range []domain.UserID{follower, followee} {
		if err := a.registered(user); err != nil {
			return nil, "", err
		}
	}
	decided, err = rule(a.stream(domain.FollowStream(follower, followee)).follow, follower, followee)
	return decided, string(follower), err
}

// registered returns an error unless a user exists.
func (a *Audit) registered(id domain.UserID) error {
	if a.Version(domain.UserStream(id)) == 0 {
		return domain.Errorf(domain.Invalid, "user %s is not registered at this point", id)
	}
	return nil
}
