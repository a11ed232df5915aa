package mongodb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
)

// problems returns what is wrong, a line each.
func (g *guard) problems() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var lines []string
	if g.broken != nil {
		lines = append(lines, g.broken.Error())
	}
	if g.unkept != nil {
		lines = append(lines, g.unkept.Error())
	}
	if g.failed != nil && !passing(g.failed) {
		lines = append(lines, fmt.Sprintf("what the log rests on cannot be looked at: %v", g.failed))
	}
	return lines
}

// notices returns what to mend although the log can be relied on, a line each.
// One stray document must not take all the servers out of a load balancer.
func (g *guard) notices() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	names := slices.Compact(slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(g.strays), maps.Keys(g.passed)))))
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(g.beyond, name) })
	if len(names) == 0 {
		return nil
	}
	return []string{describeStrays(names)}
}

func describeStrays(names []string) string {
	more := ""
	if len(names) > strayNames {
		names, more = names[:strayNames], ", …"
	}
	return fmt.Sprintf("the collection %s has documents that are no events, and are passed over; remove what does not belong there: _id %s%s",
		eventsCollection, strings.Join(names, ", "), more)
}

// refusal is the error of an append that was not tried because the log cannot
// be relied on; nil if it can.
func (g *guard) refusal() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.broken == nil {
		return nil
	}
	return distrust(g.broken)
}

// distrust makes an error of kind Unavailable of what is wrong with the log.
func distrust(reason error) error {
	return fmt.Errorf("%w: %w", &domain.Error{Kind: domain.Unavailable, Msg: "the log of events cannot be relied on until the operator has mended it"}, reason)
}

// explains looks whether the log is to blame for an error of an append, and
// returns the refusal if so.
func (g *guard) explains(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var d *damage
	if !errors.As(err, &d) && !hasCode(err, codeCollectionUUIDMismatch) && !errors.Is(err, errIndexesGone) {
		return nil
	}
	g.check(ctx)
	if refused := g.refusal(); refused != nil {
		return refused
	}
	return distrust(err)
}

// passedOver notes the _id of a stray that a reader has met.
func (g *guard) passedOver(id bson.RawValue) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.passed) < strayNames {
		g.passed[describeID(id)] = bson.RawValue{Type: id.Type, Value: slices.Clone(id.Value)}
	}
}
