#!/usr/bin/env bash
# Two users with nothing but curl: one follows the other, reads the feed, and watches it
# live over server-sent events, through a connection that is cut. It needs a running server.
# CHIRP_URL is the URL of the API, by default http://localhost:8080/graphql.
set -euo pipefail

URL=${CHIRP_URL:-http://localhost:8080/graphql}
SUFFIX=$(date +%s | tail -c 7) # so that the example can be run repeatedly

# gql TOKEN QUERY VARIABLES sends an operation as the token's user, or anonymously. The
# response includes everything up to the position in $SEEN.
SEEN=
gql() {
	curl -sS --fail-with-body "$URL" -H 'Content-Type: application/json' ${1:+-H "Authorization: Bearer $1"} \
		${SEEN:+-H "Chirp-Read-After: $SEEN"} -d "{\"query\":\"$2\",\"variables\":$3}"
}

# field NAME prints the first string field of that name in a JSON text. (Use jq if you have it.)
field() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

# want TEXT OUTPUT ends the example if the text is not in the output.
want() { grep -qF -- "$1" <<<"$2" || { echo "$1 is missing in: $2" >&2; exit 1; }; }

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

# watch CURSOR FILE writes the feed's events after the cursor to the file, until it is stopped.
watch() {
	local query='subscription($after: String) { feedChirpAdded(after: $after) { cursor node { content } } }'
	curl -sS -N "$URL" -H 'Content-Type: application/json' -H 'Accept: text/event-stream' -H "Authorization: Bearer $DAVE_TOKEN" \
		-d "{\"query\":\"$query\",\"variables\":{\"after\":\"$1\"}}" >"$2" &
	WATCHING=$!
}
# stop cuts the connection that watch opened.
stop() {
	[ -z "$WATCHING" ] || kill "$WATCHING" 2>/dev/null || true
	wait "$WATCHING" 2>/dev/null || true
	WATCHING=
}
# await TEXT FILE waits until the text is in the file.
await() {
	for _ in $(seq 300); do
		grep -qF -- "$1" "$2" && return
		sleep 0.1
	done
	echo "$1 did not arrive" >&2
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

echo "== cut, and resumed after the last cursor"
CURSOR=$(grep '^data: *{' "$EVENTS/1" | tail -n 1 | field cursor)
stop
post "$CAROL_TOKEN" 'Missed' >"$EVENTS/posted"
watch "$CURSOR" "$EVENTS/2"
await '"content":"Missed"' "$EVENTS/2"
post "$CAROL_TOKEN" 'Live again' >"$EVENTS/posted"
await '"content":"Live again"' "$EVENTS/2"
cat "$EVENTS/2"
[ "$(grep -c '"content"' "$EVENTS/2")" = 2 ] || { echo 'an event arrived twice' >&2; exit 1; }
echo "== nothing was missed or duplicated"
