package guard

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"chirp/internal/domain"
)

// post and follow are inputs of a mutation in tests.
type (
	post   int64  // how many entries it delivers
	follow string // the followee
)

// effects is an Effect for them. A follow delivers 200 entries.
func effects(_ context.Context, input any) (deliveries int64, followee string) {
	switch input := input.(type) {
	case post:
		return int64(input), ""
	case follow:
		return 200, string(input)
	default:
		return 0, ""
	}
}

func takes(l *effectLimiter, ctx context.Context, input any) time.Duration {
	return l.take(ctx, l.effect(ctx, input))
}

func TestAnAuthorWithManyFollowersMayPostSeveralTimesInARow(t *testing.T) {
	now, move := fixed()
	l := newEffectLimiter(20, effects, now)
	ann, bob := from("ann", "192.0.2.1"), from("bob", "192.0.2.2")
	for i := range 5 {
		if wait := takes(l, ann, post(9999)); wait != 0 {
			t.Fatalf("chirp %d to 9,999 followers must wait %s, want no wait", i, wait)
		}
	}
	if wait := takes(l, ann, post(9999)); wait < 4*time.Second || wait > 5*time.Second {
		t.Errorf("the next one must wait %s, want nearly 5 s", wait)
	}
	if wait := takes(l, ann, post(0)); wait != 0 {
		t.Errorf("a chirp that is delivered to no one must wait %s, want no wait", wait)
	}
	if wait := takes(l, bob, post(9999)); wait != 0 {
		t.Errorf("another author must wait %s, want no wait", wait)
	}
	move(5 * time.Second)
	if wait := takes(l, ann, post(9999)); wait != 0 {
		t.Errorf("after 5 s a chirp must wait %s, want no wait", wait)
	}
}

func TestOneFollowMayNotChangeAgainAndAgain(t *testing.T) {
	now, move := fixed()
	l := newEffectLimiter(20, effects, now)
	ann, bob := from("ann", "192.0.2.1"), from("bob", "192.0.2.1")
	for i := range 10 {
		if wait := takes(l, ann, follow("star")); wait != 0 {
			t.Fatalf("change %d must wait %s, want no wait", i, wait)
		}
	}
	if wait := takes(l, ann, follow("star")); wait != 6*time.Second {
		t.Errorf("the next change must wait %s, want 6 s", wait)
	}
	if takes(l, ann, follow("another")) != 0 || takes(l, bob, follow("star")) != 0 || takes(l, ann, post(1)) != 0 {
		t.Error("another pair or another mutation must wait, want no wait")
	}
	move(6 * time.Second)
	if takes(l, ann, follow("star")) != 0 || takes(l, ann, follow("star")) == 0 {
		t.Error("after 6 s, want one change more")
	}
}

func TestAFollowRefusedForItsDeliveriesIsNoChange(t *testing.T) {
	now, move := fixed()
	l := newEffectLimiter(20, effects, now)
	ann := from("ann", "192.0.2.1")
	if wait := takes(l, ann, post(50_000)); wait != 0 {
		t.Fatal(wait)
	}
	for range 30 {
		if wait := takes(l, ann, follow("star")); wait != 100*time.Millisecond {
			t.Fatalf("a follow without deliveries left must wait %s, want 100ms", wait)
		}
	}
	move(time.Minute)
	for i := range 10 {
		if wait := takes(l, ann, follow("star")); wait != 0 {
			t.Fatalf("change %d must wait %s, want no wait", i, wait)
		}
	}
}

func TestOnlyARefusedMutationHasItsEffectGivenBack(t *testing.T) {
	now, _ := fixed()
	for kind, want := range map[domain.Kind]int{
		domain.Invalid: 30, domain.NotFound: 30, domain.Conflict: 30, domain.AlreadyFollowing: 30, domain.NotFollowing: 30, domain.Forbidden: 30,
		domain.Unavailable: 5, domain.Internal: 5, domain.RateLimited: 5,
	} {
		l := newEffectLimiter(20, effects, now)
		ann := from("ann", "192.0.2.1")
		calls := func(input any) (n int) {
			for range 30 {
				_, _ = l.limit(ann, input, func(context.Context) (any, error) { n++; return nil, domain.Errorf(kind, "no") })
			}
			return n
		}
		if n := calls(post(9999)); n != want {
			t.Errorf("chirps that fail by kind %v: %d were let through, want %d", kind, n, want)
		}
		if want == 30 && (calls(follow("star")) != 30 || takes(l, ann, post(50_000)) != 0 || takes(l, ann, post(1)) == 0) {
			t.Errorf("after follows refused by kind %v: want all let through, and the budget as it was", kind)
		}
	}
}

func TestSourcesOfAFeedAreChargedBeforeTheyAreRead(t *testing.T) {
	now, _ := fixed()
	l := newLimiter(Config{RateLimit: 20}, now) // 50,000 at once
	query, subscription := executing(l, "ann", ast.Query), executing(l, "bob", ast.Subscription)
	for i := range 5 {
		if err := Consult(query, finding(5000)); err != nil {
			t.Fatalf("page %d: %v", i, err)
		}
	}
	if err := Consult(query, finding(5000)); domain.KindOf(err) != domain.RateLimited {
		t.Errorf("the sixth page of 5,000 sources: got %v, want kind RateLimited", err)
	}
	for range 6 {
		if err := Consult(subscription, finding(5000)); err != nil {
			t.Errorf("a subscription: got %v, want no error", err)
		}
	}
	if l.Costs.Take(subscription, 1) == 0 {
		t.Error("a subscription is not charged for its sources")
	}
	if err := Consult(context.Background(), finding(5000)); err != nil {
		t.Errorf("without a limiter: %v", err)
	}
	if err := Consult(executing(newLimiter(Config{}, now), "ann", ast.Query), finding(1_000_000)); err != nil {
		t.Errorf("without a rate limit: %v", err)
	}
}

// TestRefusedPagesAreChargedForFindingTheirSources has operations ask for many pages.
func TestRefusedPagesAreChargedForFindingTheirSources(t *testing.T) {
	now, move := fixed()
	l := newLimiter(Config{RateLimit: 20}, now) // 10,000 a second
	found := 0
	find := func() (int, error) { found++; return 5000, nil }
	var refused *domain.Error
	ann := executing(l, "ann", ast.Query)
	for i := range 50 {
		if err := Consult(ann, find); i < 5 && err != nil || i >= 5 && !errors.As(err, &refused) {
			t.Fatalf("page %d: got %v, want only those after the fifth refused", i, err)
		}
	}
	if found != 6 {
		t.Errorf("the sources of %d pages were found, want no more after one was refused", found)
	}
	for range 44 {
		if err := Consult(executing(l, "ann", ast.Query), find); !errors.As(err, &refused) {
			t.Fatalf("another operation: got %v, want it refused", err)
		}
	}
	if wait := l.Costs.Take(ann, 1); wait < 22*time.Second || wait > 23*time.Second {
		t.Errorf("after 45 pages that were refused after finding, an operation must wait %s, want 22.5 s", wait)
	}
	move(refused.RetryAfter)
	if err := Consult(executing(l, "ann", ast.Query), find); err != nil {
		t.Errorf("after the wait that the last refusal asked for: got %v, want no error", err)
	}
}

func TestAPageOfMoreSourcesThanTheBurstLeavesADebt(t *testing.T) {
	now, _ := fixed()
	l := newLimiter(Config{RateLimit: 20}, now)
	ann := executing(l, "ann", ast.Query)
	if err := Consult(ann, finding(40_000)); err != nil {
		t.Fatal(err)
	}
	if wait := l.Costs.Take(ann, 1); wait < 3*time.Second || wait > 4*time.Second {
		t.Errorf("the next operation must wait %s, want 3 s", wait)
	}
}

// executing returns the context of a user's operation.
func executing(l *Limiter, user string, operation ast.Operation) context.Context {
	ctx := context.WithValue(from(user, "192.0.2.1"), chargedKey{}, &charged{Limiter: l})
	return graphql.WithOperationContext(ctx, &graphql.OperationContext{Operation: &ast.OperationDefinition{Operation: operation}})
}

// finding finds some sources.
func finding(sources int) func() (int, error) {
	return func() (int, error) { return sources, nil }
}
