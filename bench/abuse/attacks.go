package main

import (
	"context"

	"chirp/graph/graphtest"
)

// kind is an attack on a server: what one account, one address or a few of them
// do without pause while two ordinary users use the server.
type kind struct {
	id, what string
	accounts []int // users of the world that the attacker logs in as
	files    int   // the descriptors that the server may open, 0 for as many as this process
	logIns   int   // how often the writer logs in meanwhile
	ordinary bool  // it is no attack, and nothing of it may be refused
	run      func(context.Context, *attacker)
}

// attacks are numbered by what they attack; the letters are siblings.
var attacks = []kind{
	{id: "0", what: "nothing", run: func(ctx context.Context, _ *attacker) { <-ctx.Done() }},

	{id: "1a", what: "an account follows and unfollows a user with 50,000 chirps", accounts: attackerNumbers(2), run: followProlific},
	{id: "1b", what: "ten accounts each follow and unfollow a user with 2,500 chirps", accounts: attackerNumbers(1 + authors), run: followAuthors},
	{id: "1c", what: "three accounts follow and unfollow prolific users in turn", accounts: attackerNumbers(4), run: followInTurn(3, 3)},
	{id: "1d", what: "a user with 9,000 followers posts", accounts: []int{popular}, run: postAsPopular},
	{id: "1e", what: "a user who follows 5,000 reads the whole feed, on 16 connections", accounts: []int{viewer}, run: readDeep(viewer)},
	{id: "1f", what: "a user who has followed 500 users after they posted does", accounts: []int{latecomer}, run: readDeep(latecomer)},
	{id: "1g", what: "20 accounts at one address follow and unfollow prolific users in turn", accounts: attackerNumbers(21), run: followInTurn(20, 1)},

	{id: "2a", what: "20 sockets × 100 feeds of a user who follows 5,000", accounts: []int{viewer, firstAttacker}, run: watchFeeds},
	{id: "2b", what: "the same, with costly answers", accounts: []int{viewer, firstAttacker}, run: watchRichFeeds},
	{id: "2c", what: "100 event streams and multipart streams of that feed", accounts: []int{viewer, firstAttacker}, run: streamFeeds},
	{id: "2d", what: "20 such sockets that do not read", accounts: []int{viewer, firstAttacker}, run: watchWithoutReading},

	{id: "3a", what: "97 anonymous subscriptions to 100 chirps of a user who posts", accounts: []int{firstAttacker}, run: watchProfiles},
	{id: "3b", what: "the same as event streams", accounts: []int{firstAttacker}, run: streamProfiles},
	{id: "3c", what: "20,000 anonymous watchers of the user who posts", run: watchVictim},
	{id: "3d", what: "20 sockets × 20 feeds from an old cursor", accounts: []int{viewer}, run: catchUp},

	{id: "4a", what: "250 kB of variables for an invalid query, on 200 connections", run: floodWith(200, invalidBody("1"))},
	{id: "4b", what: "the same on 500 connections", run: floodWith(500, invalidBody("1"))},
	{id: "4c", what: "the same with many empty objects", run: floodWith(200, invalidBody("{}"))},
	{id: "4d", what: "documents that cannot be parsed, on 200 connections", run: floodWith(200, garbage())},
	{id: "4e", what: "batches of such documents", run: floodWith(200, batch())},
	{id: "4f", what: "a comment of 250 kB", run: floodWith(200, comment())},
	{id: "4g", what: "bodies that lack a byte, on 500 connections", run: holdBodies},
	{id: "4h", what: "large variables for an invalid query, on 20 sockets", run: floodSockets},
	{id: "4i", what: "ever new valid documents of 4,500 tokens, on 50 connections", run: newDocuments},
	{id: "4j", what: "invalid documents in URLs of 4 kB, on 200 connections", run: longURLs},

	{id: "6a", what: "introspection on 200 connections", run: floodWith(200, bodyOf(graphtest.UsualIntrospection))},
	{id: "6b", what: "introspection by ever new documents", run: distinctDocuments},

	{id: "7a", what: "20 accounts at one address post", accounts: attackerNumbers(21), run: postAsMany},
	{id: "7b", what: "one address registers accounts", run: register},
	{id: "7c", what: "20 accounts at one address ask for as much as they may", accounts: attackerNumbers(21), run: askMuch},
	{id: "7d", what: "an anonymous client does, on 200 connections", run: floodWith(200, bodyOf(costlyDocument))},

	{id: "8a", what: "five addresses guess the writer's password, who logs in", logIns: 12, run: guess(5)},
	{id: "8b", what: "100 addresses do", logIns: 12, run: guess(100)},
	{id: "8c", what: "one address tries unknown names, on 200 connections", logIns: 12, run: guessNames},
	{id: "8d", what: "a user logs in again and again, on 20 connections", logIns: 12, run: logInRightly},

	{id: "12a", what: "2,000 idle connections; the server may open 1,024 files", files: 1024, run: connections("")},
	{id: "12b", what: "2,000 half-open requests; the server may open 1,024 files", files: 1024, run: connections("POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-Long: ")},
	{id: "12c", what: "requests that are aborted, on 100 connections", run: abort},
	{id: "12d", what: "pipelined requests on 50 connections that are not read", run: pipeline},

	{id: "13a", what: "pings of 250 kB on 20 sockets", run: pingLarge},
	{id: "13b", what: "WebSocket pings without pause on 20 sockets", run: pingFrames},
	{id: "13c", what: "1 MB of WebSocket pings a second on each of 100 sockets", run: pingMegabyte},
	{id: "13d", what: "WebSocket pings on 100 sockets that do not read", run: pingWithoutReading},
	{id: "13e", what: "pong and complete without a reason, on 20 sockets", run: completeUnknown},
	{id: "13f", what: "sockets that are opened and closed", run: initialize},

	{id: "13i", what: "20 accounts at one address ask for megabytes on sockets, and do not read", accounts: attackerNumbers(21), run: askWithoutReading},

	{id: "15a", what: "look-ups of what does not exist, on 100 connections", run: lookUp},
	{id: "15b", what: "forged cursors, on 100 connections", run: forgeCursors},
	{id: "15c", what: "HEAD, OPTIONS and pages, on 100 connections", run: browse},
	{id: "15d", what: "reads that wait for a position to come, on 500 connections", run: readTheFuture},

	{id: "16a", what: "no attack: 30 tabs of one user", ordinary: true, accounts: attackerNumbers(2), run: openTabs},
	{id: "16b", what: "no attack: 200 users at one address, with two tabs each", ordinary: true, accounts: numbers(firstCrowd, office), run: openOffice},
	{id: "16c", what: "no attack: a busy user", ordinary: true, accounts: []int{viewer}, run: beBusy},
}
