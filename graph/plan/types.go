package plan

import (
	"time"

	"chirp/graph/generated"
	"chirp/graph/model"
	"chirp/internal/domain"
)

// typesOf returns the types of the schema, with their resolvers.
func typesOf(r generated.ResolverRoot) types {
	all := types{
		"Query":        {fields: queryFields(r.Query())},
		"Mutation":     {fields: mutationFields(r.Mutation())},
		"Subscription": {fields: subscriptionFields(r.Subscription())},
		"User":         {[]string{"Node"}, userFields(r.User())},
		"Chirp":        {[]string{"Node"}, chirpFields(r.Chirp())},
		"ChirpConnection": {fields: map[string]*spec{
			"edges":    edges("ChirpEdge", func(c *model.ChirpConnection) []model.ChirpEdge { return c.Edges }),
			"pageInfo": inner("PageInfo", func(c *model.ChirpConnection) *model.PageInfo { return &c.PageInfo }),
		}},
		"ChirpEdge": {fields: map[string]*spec{
			"node":   inner("Chirp", func(e *model.ChirpEdge) *model.Chirp { return &e.Node }),
			"cursor": text(func(e *model.ChirpEdge) string { return e.Cursor }),
		}},
		"UserConnection": {fields: map[string]*spec{
			"edges":    edges("UserEdge", func(c *model.UserConnection) []model.UserEdge { return c.Edges }),
			"pageInfo": inner("PageInfo", func(c *model.UserConnection) *model.PageInfo { return &c.PageInfo }),
		}},
		"UserEdge": {fields: map[string]*spec{
			"node":   inner("User", func(e *model.UserEdge) *model.User { return &e.Node }),
			"cursor": text(func(e *model.UserEdge) string { return e.Cursor }),
		}},
		"PageInfo": {fields: map[string]*spec{
			"hasNextPage":     boolean(func(p *model.PageInfo) bool { return p.HasNextPage }),
			"hasPreviousPage": boolean(func(p *model.PageInfo) bool { return p.HasPreviousPage }),
			"startCursor":     optional(func(p *model.PageInfo) *string { return p.StartCursor }),
			"endCursor":       optional(func(p *model.PageInfo) *string { return p.EndCursor }),
		}},
		"Session": {fields: map[string]*spec{
			"id":         id(func(s *model.Session) string { return s.ID }),
			"startedAt":  dateTime(func(s *model.Session) time.Time { return s.StartedAt }),
			"lastUsedAt": dateTime(func(s *model.Session) time.Time { return s.LastUsedAt }),
			"expiresAt":  dateTime(func(s *model.Session) time.Time { return s.ExpiresAt }),
			"address":    text(func(s *model.Session) string { return s.Address }),
			"userAgent":  text(func(s *model.Session) string { return s.UserAgent }),
			"isCurrent":  boolean(func(s *model.Session) bool { return s.IsCurrent }),
		}},
	}
	addPayloads(all)
	for name, t := range all {
		t.fields["__typename"] = &spec{plain: true, write: func(w *writer, _ *field, _ any) bool {
			w.buf = appendString(w.buf, name)
			return true
		}}
	}
	return all
}

func userFields(r generated.UserResolver) map[string]*spec {
	return map[string]*spec{
		"id":             id(func(u *model.User) string { return u.ID }),
		"username":       text(func(u *model.User) string { return u.Username }),
		"joinedAt":       dateTime(func(u *model.User) time.Time { return u.JoinedAt }),
		"followerCount":  resolved(r.FollowerCount, appendInt),
		"followingCount": resolved(r.FollowingCount, appendInt),
		"chirpCount":     resolved(r.ChirpCount, appendInt),
		"isCelebrity":    resolved(r.IsCelebrity, appendBool),
		"viewerFollows":  resolved(r.ViewerFollows, appendBool),
		"chirps":         connection("ChirpConnection", r.Chirps),
		"followers":      connection("UserConnection", r.Followers),
		"following":      connection("UserConnection", r.Following),
		"sessions":       resolvedList("Session", r.Sessions),
	}
}

func chirpFields(r generated.ChirpResolver) map[string]*spec {
	return map[string]*spec{
		"id":       id(func(c *model.Chirp) string { return c.ID }),
		"content":  text(func(c *model.Chirp) string { return c.Content }),
		"postedAt": dateTime(func(c *model.Chirp) time.Time { return c.PostedAt }),
		"author":   resolvedObject("User", r.Author),
	}
}

// addPayloads adds the payloads of mutations.
func addPayloads(all types) {
	all["RegisterUserPayload"] = typ{fields: map[string]*spec{
		"user":     inner("User", func(p *model.RegisterUserPayload) *model.User { return &p.User }),
		"token":    optional(func(p *model.RegisterUserPayload) *string { return p.Token }),
		"position": position(func(p *model.RegisterUserPayload) domain.Position { return p.Position }),
	}}
	all["LogInPayload"] = typ{fields: map[string]*spec{
		"user":  inner("User", func(p *model.LogInPayload) *model.User { return &p.User }),
		"token": text(func(p *model.LogInPayload) string { return p.Token }),
	}}
	all["PostChirpPayload"] = typ{fields: map[string]*spec{
		"chirp":    inner("Chirp", func(p *model.PostChirpPayload) *model.Chirp { return &p.Chirp }),
		"position": position(func(p *model.PostChirpPayload) domain.Position { return p.Position }),
	}}
	all["FollowUserPayload"] = typ{fields: map[string]*spec{
		"relationshipId": id(func(p *model.FollowUserPayload) string { return p.RelationshipID }),
		"followee":       inner("User", func(p *model.FollowUserPayload) *model.User { return &p.Followee }),
		"position":       position(func(p *model.FollowUserPayload) domain.Position { return p.Position }),
	}}
	all["UnfollowUserPayload"] = typ{fields: map[string]*spec{
		"relationshipId": id(func(p *model.UnfollowUserPayload) string { return p.RelationshipID }),
		"followee":       inner("User", func(p *model.UnfollowUserPayload) *model.User { return &p.Followee }),
		"position":       position(func(p *model.UnfollowUserPayload) domain.Position { return p.Position }),
	}}
	all["ChangePasswordPayload"] = typ{fields: map[string]*spec{
		"token": text(func(p *model.ChangePasswordPayload) string { return p.Token }),
	}}
	all["EndSessionPayload"] = typ{fields: map[string]*spec{
		"sessionId": id(func(p *model.EndSessionPayload) string { return p.SessionID }),
		"user":      inner("User", func(p *model.EndSessionPayload) *model.User { return &p.User }),
	}}
	all["EndAllSessionsPayload"] = typ{fields: map[string]*spec{
		"user": inner("User", func(p *model.EndAllSessionsPayload) *model.User { return &p.User }),
	}}
}
