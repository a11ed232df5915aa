package apitest

// The documents that the tests send.
const (
	RegisterDocument = `mutation($username: String!, $password: String!, $commandId: String) {
		registerUser(input: {username: $username, password: $password, commandId: $commandId}) { user { id username } token position } }`
	PostDocument = `mutation($content: String!, $commandId: String) {
		postChirp(input: {content: $content, commandId: $commandId}) { chirp { id content } position } }`
	FollowDocument = `mutation($userId: ID!, $commandId: String) {
		followUser(input: {userId: $userId, commandId: $commandId}) { relationshipId followee { id } position } }`
	UnfollowDocument = `mutation($userId: ID!, $commandId: String) {
		unfollowUser(input: {userId: $userId, commandId: $commandId}) { relationshipId followee { id } position } }`
	FeedDocument = `query($first: Int, $after: String) {
		feed(first: $first, after: $after) { edges { cursor node { id content author { id username } } } pageInfo { hasNextPage endCursor } } }`
	FeedAddedDocument = `subscription($after: String) {
		feedChirpAdded(after: $after) { cursor node { id content author { id username } } } }`
	ProfileDocument = `subscription($userId: ID!) { profileUpdated(userId: $userId) { username followerCount chirpCount } }`
)
