package httpserver

import "time"

// SetUnreadBodyTimeout sets how long a body may take that no handler reads.
func (m *Mux) SetUnreadBodyTimeout(d time.Duration) { m.unreadBodyTimeout = d }
