package command

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// load returns a stream's decoded events, and its version. A stream with an event
// that only a newer version of the server can decode is Unavailable, because
// nothing can be decided on it here.
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

// decision is one attempt to decide a command. It records the version of each
// stream that it loads; events are appended to the stream only if it is still at
// that version. A stream that it did not load must be new.
type decision struct {
	handler *Handler
	loaded  eventstore.Versions
}

// load returns a stream's decoded events. If the stream is loaded twice, the
// first version counts, so that a change in between is a conflict.
func (d *decision) load(ctx context.Context, stream domain.StreamID) ([]domain.Event, error) {
	events, version, err := d.handler.load(ctx, stream)
	if err != nil {
		return nil, err
	}
	if _, again := d.loaded[stream]; !again {
		d.loaded[stream] = version
	}
	return events, nil
}

// write returns the events in the form that an append takes, with the expected
// version of each of their streams.
func (d *decision) write(events []domain.Event) ([]eventstore.NewEvent, eventstore.Versions, error) {
	encoded := make([]eventstore.NewEvent, len(events))
	expected := make(eventstore.Versions, len(events))
	for i, e := range events {
		event, err := eventstore.Encode(e)
		if err != nil {
			return nil, nil, err
		}
		encoded[i], expected[event.Stream] = event, d.loaded[event.Stream]
	}
	return encoded, expected, nil
}
