package command

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// load gives a stream's events as aggregates want them, with the stream's
// version. A stream with an event of a newer version cannot be decided on here,
// which is kind Unavailable.
func (h *Handler) load(ctx context.Context, stream domain.StreamID) (events []domain.Event, version int64, err error) {
	stored, err := h.Events.Load(ctx, stream)
	if err != nil {
		return nil, 0, fmt.Errorf("load %s: %w", stream, err)
	}
	if len(stored) == 0 {
		return nil, 0, nil
	}
	events, err = decodeAll(stored)
	return events, stored[len(stored)-1].Version, err
}

func decodeAll(stored []eventstore.Event) ([]domain.Event, error) {
	events := make([]domain.Event, len(stored))
	for i, s := range stored {
		e, err := domain.DecodeEvent(s.Type, s.Data)
		if errors.As(err, new(*domain.UnknownEventError)) {
			return nil, fmt.Errorf("%w: event %d: %w", domain.Errorf(domain.Unavailable,
				"this was changed by a newer version of the server, which this server cannot read; try again"), s.Position, err)
		}
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", s.Position, err)
		}
		events[i] = e
	}
	return events, nil
}

// streamsOf puts each event into its stream, in order.
func streamsOf(events []domain.Event, expected int64) ([]eventstore.StreamAppend, error) {
	var streams []eventstore.StreamAppend
	for _, e := range events {
		stream, err := streamOf(e)
		if err != nil {
			return nil, err
		}
		name, data, err := domain.EncodeEvent(e)
		if err != nil {
			return nil, err
		}
		if n := len(streams); n == 0 || streams[n-1].Stream != stream {
			streams = append(streams, eventstore.StreamAppend{Stream: stream, Expected: expected})
		}
		last := &streams[len(streams)-1]
		last.Events = append(last.Events, eventstore.NewEvent{Type: name, Data: data})
	}
	return streams, nil
}

func streamOf(e domain.Event) (domain.StreamID, error) {
	switch e := e.(type) {
	case domain.UserRegistered:
		return domain.UserStream(e.UserID), nil
	case domain.UsernameReserved:
		return domain.UsernameStream(e.Username), nil
	case domain.IdentityReserved:
		return domain.IdentityStream(e.Identity()), nil
	case domain.ChirpPosted:
		return domain.ChirpStream(e.ChirpID), nil
	case domain.UserFollowed:
		return domain.FollowStream(e.FollowerID, e.FolloweeID), nil
	case domain.UserUnfollowed:
		return domain.FollowStream(e.FollowerID, e.FolloweeID), nil
	default:
		return "", fmt.Errorf("event %s has no stream", e.WireName())
	}
}
