package main

import (
	"context"
	"fmt"
	"time"

	"chirp/bench/history"
	"chirp/internal/apitest"
)

// pace is how long an account waits after a refusal: a little less than the limit
// of 20 commands a second makes it wait.
const pace = 45 * time.Millisecond

// alternate follows and unfollows the users in turn, as one account.
func (a *attacker) alternate(ctx context.Context, account int, address string, users ...int) {
	c := a.as(account, address)
	documents := []string{apitest.FollowDocument, apitest.UnfollowDocument}
	turn := 0
	a.repeat(ctx, pace, func(int) error {
		user := users[turn/2%len(users)]
		err := c.do(ctx, documents[turn%2], apitest.Vars{"userId": history.UserID(user)}, "", nil)
		if code := apitest.Code(err); code == "OK" || code == "ALREADY_FOLLOWING" || code == "NOT_FOLLOWING" {
			turn++
		}
		return err
	})
}

func followProlific(ctx context.Context, a *attacker) {
	a.alternate(ctx, firstAttacker+1, address(0), prolific)
}

// followAuthors has ten accounts, each with an author of its own, at one address.
func followAuthors(ctx context.Context, a *attacker) {
	together(ctx, authors, func(ctx context.Context, i int) {
		a.alternate(ctx, firstAttacker+1+i, address(0), firstAuthor+i)
	})
}

// followInTurn has accounts change to another user each time, so that no pair
// repeats soon, from some addresses.
func followInTurn(accounts, addresses int) func(context.Context, *attacker) {
	return func(ctx context.Context, a *attacker) {
		users := append([]int{prolific}, numbers(firstAuthor, authors)...)
		together(ctx, accounts, func(ctx context.Context, i int) {
			a.alternate(ctx, firstAttacker+1+i, address(i%addresses), users...)
		})
	}
}

// postAsPopular posts to all the followers of the popular user.
func postAsPopular(ctx context.Context, a *attacker) { a.post(ctx, a.as(popular, address(0))) }

// post posts as fast as is allowed.
func (a *attacker) post(ctx context.Context, c caller) {
	a.repeat(ctx, pace, func(n int) error {
		return c.do(ctx, apitest.PostDocument, apitest.Vars{"content": fmt.Sprintf("Post %d of many.", n)}, "", nil)
	})
}

// postAsMany has twenty accounts at one address, each with several connections.
func postAsMany(ctx context.Context, a *attacker) {
	together(ctx, 60, func(ctx context.Context, i int) { a.post(ctx, a.as(firstAttacker+1+i%20, address(0))) })
}

// register makes accounts, from one address.
func register(ctx context.Context, a *attacker) {
	began := time.Now().UnixMilli() % 1_000_000_000
	together(ctx, 20, func(ctx context.Context, i int) {
		c := a.anonymous(address(0))
		a.repeat(ctx, pace, func(n int) error {
			name := fmt.Sprintf("n%x_%x_%x", began, i, n)
			return c.do(ctx, apitest.RegisterDocument, apitest.Vars{"username": name, "password": apitest.Password}, "", nil)
		})
	})
}

// readDeep reads the whole feed of a user, again and again.
func readDeep(user int) func(context.Context, *attacker) {
	return func(ctx context.Context, a *attacker) {
		together(ctx, 16, func(ctx context.Context, _ int) {
			c := a.as(user, address(0))
			var after any // a cursor, or nil
			a.repeat(ctx, pace, func(int) error {
				var got struct{ Feed apitest.Page }
				err := c.do(ctx, apitest.FeedDocument, apitest.Vars{"first": 100, "after": after}, "", &got)
				switch end := got.Feed.PageInfo.EndCursor; {
				case err == nil && end == "":
					after = nil // again from the start
				case err == nil:
					after = end
				}
				return err
			})
		})
	}
}

// costlyDocument costs almost as much as one operation may.
const costlyDocument = `{ recentChirps(first: 100) { edges { node { id content author { username chirps(first: 9) { edges { node { id content postedAt } } } } } } } }`

// askMuch has twenty accounts at one address ask for as much as they may.
func askMuch(ctx context.Context, a *attacker) {
	together(ctx, 60, func(ctx context.Context, i int) {
		c := a.as(firstAttacker+1+i%20, address(0))
		a.repeat(ctx, pace, func(int) error { return c.do(ctx, costlyDocument, nil, "", nil) })
	})
}
