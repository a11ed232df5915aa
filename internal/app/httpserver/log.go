package httpserver

import (
	"log/slog"
	"sync"
	"time"
)

// throttledLog writes warnings that anybody can cause: at most one in a while,
// with the number of those left out, so that nobody can fill the log.
type throttledLog struct {
	log   *slog.Logger
	every time.Duration

	mu      sync.Mutex
	next    time.Time // when a warning may be written again
	leftOut int
}

func (l *throttledLog) warn(message string, attrs ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.next) {
		l.leftOut++
		return
	}
	if l.leftOut > 0 {
		attrs = append(attrs, "leftOut", l.leftOut)
	}
	l.next, l.leftOut = now.Add(l.every), 0
	l.log.Warn(message, attrs...)
}
