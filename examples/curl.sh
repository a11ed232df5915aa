#!/usr/bin/env bash
# Two users by curl alone: one follows the other, reads the feed, and watches it live
# by server-sent events, through a connection that is cut. It runs against a server that
# is started already; CHIRP_URL names its API if it is not http://localhost:8080/graphql.
set -euo pipefail

URL=${CHIRP_URL:-http://localhost:8080/graphql}
SUFFIX=$(date +%s | tail -c 7) # so that the example can be run again

# gql TOKEN QUERY VARIABLES sends an operation as the token's user, or as nobody. What was
# written at $SEEN is visible in the answer.
SEEN=
gql() {
	curl -sS --fail-with-body "$URL" -H 'Content-Type: application/json' ${1:+-H "Authorization: Bearer $1"} \
		${SEEN:+-H "Chirp-Read-After: $SEEN"} -d "{\"query\":\"$2\",\"variables\":$3}"
}

# field NAME gives the first text of that name in some JSON. (Where there is jq, use jq.)
field() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

# want TEXT WHERE ends the example if a text is not there.
want() { grep -qF -- "$1" <<<"$2" || { echo "there is no $1 in: $2" >&2; exit 1; }; }

register() {
	gql '' 'mutation($input: RegisterUserInput!) { registerUser(input: $input) { user { id } token position } }' \
		"{\"input\":{\"username\":\"$1\",\"password\":\"correct horse battery staple\"}}"
}
post() {
	gql "$1" 'mutation($content: String!) { postChirp(input: {content: $content}) { chirp { id } position } }' "{\"content\":\"$2\"}"
}

echo "== two accounts"
CAROL=$(register "carol_$SUFFIX")
DAVE=$(register "dave_$SUFFIX")
echo "$CAROL"
echo "$DAVE"
CAROL_ID=$(field id <<<"$CAROL")
CAROL_TOKEN=$(field token <<<"$CAROL")
DAVE_TOKEN=$(field token <<<"$DAVE")

echo "== Dave follows Carol, and she posts"
gql "$DAVE_TOKEN" 'mutation($id: ID!) { followUser(input: {userId: $id}) { followee { username followerCount } position } }' "{\"id\":\"$CAROL_ID\"}"
POSTED=$(post "$CAROL_TOKEN" 'Good morning!')
echo "$POSTED"
SEEN=$(field position <<<"$POSTED")

echo "== Dave's feed"
FEED=$(gql "$DAVE_TOKEN" 'query($first: Int) { feed(first: $first) { edges { cursor node { content author { username } } } pageInfo { hasNextPage endCursor } } }' '{"first":10}')
echo "$FEED"
want '"content":"Good morning!"' "$FEED"
CURSOR=$(field cursor <<<"$FEED")

# watch CURSOR FILE writes what comes after the cursor into the file, until it is stopped.
watch() {
	local query='subscription($after: String) { feedChirpAdded(after: $after) { cursor node { content } } }'
	curl -sS -N "$URL" -H 'Content-Type: application/json' -H 'Accept: text/event-stream' -H "Authorization: Bearer $DAVE_TOKEN" \
		-d "{\"query\":\"$query\",\"variables\":{\"after\":\"$1\"}}" >"$2" &
	WATCHING=$!
}
# stop cuts the connection of the watch.
stop() {
	[ -z "$WATCHING" ] || kill "$WATCHING" 2>/dev/null || true
	wait "$WATCHING" 2>/dev/null || true
	WATCHING=
}
# await TEXT FILE waits until a text has come.
await() {
	for _ in $(seq 300); do
		grep -qF -- "$1" "$2" && return
		sleep 0.1
	done
	echo "this did not come: $1" >&2
	exit 1
}

EVENTS=$(mktemp -d)
WATCHING=
trap 'stop; rm -rf "$EVENTS"' EXIT

echo "== live"
watch "$CURSOR" "$EVENTS/1"
post "$CAROL_TOKEN" 'Seen live' >"$EVENTS/posted"
await '"content":"Seen live"' "$EVENTS/1"
cat "$EVENTS/1"

echo "== cut, and resumed with the last cursor"
CURSOR=$(grep '^data: *{' "$EVENTS/1" | tail -n 1 | field cursor)
stop
post "$CAROL_TOKEN" 'Missed' >"$EVENTS/posted"
watch "$CURSOR" "$EVENTS/2"
await '"content":"Missed"' "$EVENTS/2"
post "$CAROL_TOKEN" 'Live again' >"$EVENTS/posted"
await '"content":"Live again"' "$EVENTS/2"
cat "$EVENTS/2"
[ "$(grep -c '"content"' "$EVENTS/2")" = 2 ] || { echo 'something came twice' >&2; exit 1; }
echo "== nothing was missed, and nothing came twice"
