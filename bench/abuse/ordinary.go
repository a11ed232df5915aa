package main

import (
	"context"
	"fmt"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// Ordinary heavy use comes in place of an attack, and nothing of it may be
// refused.

// office is how many users of the crowd have passwords, and work behind one
// address.
const office = 200

// openTab does what the web client does when it is opened: it asks who the user
// is, reads two lists, and follows the feed on a socket. Now and then the user
// posts and reads.
func (a *attacker) openTab(ctx context.Context, user int, posts time.Duration) {
	c := a.as(user, address(0))
	go a.subscribe(ctx, c, address(0), subscriptions{apitest.FeedAddedDocument, nil, 1})
	a.count(c.do(ctx, `{ viewer { id username followerCount followingCount chirpCount } }`, nil, "", nil))
	a.count(c.do(ctx, apitest.FeedDocument, apitest.Vars{"first": 20}, "", nil))
	a.count(c.do(ctx, `{ recentUsers(first: 10) { edges { node { id username followerCount viewerFollows } } } }`, nil, "", nil))
	for n := 0; outage.Pause(ctx, posts); n++ {
		a.count(c.do(ctx, apitest.PostDocument, apitest.Vars{"content": fmt.Sprintf("Thought %d.", n)}, "", nil))
		a.count(c.do(ctx, apitest.FeedDocument, apitest.Vars{"first": 20}, "", nil))
	}
}

// openTabs opens thirty tabs of one user at once.
func openTabs(ctx context.Context, a *attacker) {
	together(ctx, 30, func(ctx context.Context, i int) { a.openTab(ctx, firstAttacker+1, 5*time.Second) })
}

// openOffice has two tabs of each user in the office, opened within seconds.
func openOffice(ctx context.Context, a *attacker) {
	together(ctx, 2*office, func(ctx context.Context, i int) {
		outage.Pause(ctx, time.Duration(i)*10*time.Millisecond)
		a.openTab(ctx, firstCrowd+i%office, 10*time.Second)
	})
}

// beBusy is one user who does more than most: five posts and ten pages a second.
func beBusy(ctx context.Context, a *attacker) {
	c := a.as(viewer, address(0))
	for n := 0; ctx.Err() == nil; n++ {
		a.count(c.do(ctx, apitest.PostDocument, apitest.Vars{"content": fmt.Sprintf("Thought %d.", n)}, "", nil))
		for range 2 {
			a.count(c.do(ctx, apitest.FeedDocument, apitest.Vars{"first": 50}, "", nil))
		}
		outage.Pause(ctx, 200*time.Millisecond)
	}
}
