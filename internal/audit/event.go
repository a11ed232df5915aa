package audit

import (
	"fmt"
	"strings"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// check checks an event by itself. It returns what the event says, nil if it cannot
// be decoded, and the reason for refusing it, "" if there is none.
func check(e eventstore.Event) (fact domain.Event, reason string) {
	fact, err := domain.DecodeEvent(e.Type, e.Data)
	if err != nil {
		return nil, err.Error()
	}
	if err := domain.CheckEvent(fact); err != nil {
		return fact, err.Error()
	}
	if want := fact.Stream(); e.Stream != want {
		return fact, fmt.Sprintf("it is in stream %.128q, and belongs in %s", e.Stream, want)
	}
	if err := domain.CheckCommandID(e.CommandID); err != nil {
		return fact, err.Error()
	}
	if len(e.Data) > maxData {
		return fact, fmt.Sprintf("its data has %d bytes; at most %d are allowed", len(e.Data), maxData)
	}
	return fact, checkTexts(e)
}

// checkTexts checks what is stored beside an event.
func checkTexts(e eventstore.Event) (reason string) {
	fingerprint := ""
	if e.Command != nil {
		fingerprint = e.Command.Fingerprint
	}
	for _, text := range []struct{ name, is string }{
		{"correlation id", e.CorrelationID}, {"trace id", e.TraceID}, {"fingerprint", fingerprint},
	} {
		if len(text.is) > maxText || strings.ContainsFunc(text.is, notPrintable) {
			return fmt.Sprintf("its %s must be at most %d printable ASCII characters", text.name, maxText)
		}
	}
	return ""
}

func notPrintable(r rune) bool { return r < ' ' || r > '~' }
