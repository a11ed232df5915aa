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
		stream := e.Stream()
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
