package domain

// FollowEvent is an event of the relationship between two users.
//
//sumtype:decl
type FollowEvent interface {
	Event
	ofFollow()
}

// UserFollowed says that one user began to follow another.
type UserFollowed struct {
	FollowerID UserID `json:"followerId"`
	FolloweeID UserID `json:"followeeId"`
}

// WireName implements Event.
func (UserFollowed) WireName() string { return userFollowedV1 }

// Stream implements Event.
func (e UserFollowed) Stream() StreamID { return FollowStream(e.FollowerID, e.FolloweeID) }

// Users implements Event.
func (e UserFollowed) Users() []UserID { return []UserID{e.FollowerID, e.FolloweeID} }

func (e UserFollowed) hasIDs() bool { return e.FollowerID != "" && e.FolloweeID != "" }
func (UserFollowed) ofFollow()      {}

// UserUnfollowed says that one user stopped following another.
type UserUnfollowed struct {
	FollowerID UserID `json:"followerId"`
	FolloweeID UserID `json:"followeeId"`
}

// WireName implements Event.
func (UserUnfollowed) WireName() string { return userUnfollowedV1 }

// Stream implements Event.
func (e UserUnfollowed) Stream() StreamID { return FollowStream(e.FollowerID, e.FolloweeID) }

// Users implements Event.
func (e UserUnfollowed) Users() []UserID { return []UserID{e.FollowerID, e.FolloweeID} }

func (e UserUnfollowed) hasIDs() bool { return e.FollowerID != "" && e.FolloweeID != "" }
func (UserUnfollowed) ofFollow()      {}
