package ws

import (
	"strconv"
	"time"
)

// peer is what a socket knows of its client's being alive. The client must be heard
// within two ping intervals, and the time that it may take to read what it was sent
// since the last ping that it has answered: it answers none before it reads it.
type peer struct {
	heard   time.Time // zero until the client is to be heard
	written int64     // bytes of all messages
	read    int64     // bytes before the last ping that the client has answered

	// messageBy is when the message must have arrived that is being received, zero if
	// there is none. Nothing else that the client sends extends it.
	messageBy time.Time
}

// deadline returns when to give the client up, by the time between pings.
func (p *peer) deadline(ping time.Duration) time.Time {
	if !p.messageBy.IsZero() {
		return p.messageBy
	}
	return p.heard.Add(2*ping + time.Duration(min(p.written-p.read, maxUnread))*time.Second/slowest)
}

// maxUnread is about how much of what was written may be on its way to the client.
const maxUnread = 16 << 20

// hear extends the read deadline, because the client has sent something, or was kept
// from it.
func (o *outbox) hear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.peer.heard = time.Now()
	o.setReadDeadline()
}

// writes counts n bytes that are about to be written. The read deadline is extended by
// the time that they may take once it has passed.
func (o *outbox) writes(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.peer.written += int64(n)
}

// waitOn extends a read deadline that has passed, and reports whether it did: the client
// may have been sent something since the deadline was set.
func (o *outbox) waitOn() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.peer.heard.IsZero() || !time.Now().Before(o.peer.deadline(o.limits.Ping)) {
		return false
	}
	o.setReadDeadline()
	return o.reason == nil
}

// mark returns the payload of a ping, by which its answer says what the client has
// read, and how many bytes it has not read as far as is known.
func (o *outbox) mark() (payload []byte, unread int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strconv.AppendInt(nil, o.peer.written, 10), int(o.peer.written - o.peer.read)
}

// answered takes the payload of a pong.
func (o *outbox) answered(payload string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n, err := strconv.ParseInt(payload, 10, 64); err == nil && n > o.peer.read {
		o.peer.read = min(n, o.peer.written)
	}
}

// messageTimeout is how long a client may take to send a message that is so large that
// it counts against others.
const messageTimeout = 30 * time.Second

// beginMessage begins the time in which the message that is being received must have
// arrived, and endMessage ends it.
func (o *outbox) beginMessage() { o.setMessageBy(time.Now().Add(messageTimeout)) }

func (o *outbox) endMessage() { o.setMessageBy(time.Time{}) }

func (o *outbox) setMessageBy(at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.peer.messageBy = at
	o.setReadDeadline()
}

// setReadDeadline sets the read deadline by what is known of the client, unless the
// socket is closing, or has its deadline for connection_init. Its caller has locked
// o.mu.
func (o *outbox) setReadDeadline() {
	if o.reason == nil && !o.peer.heard.IsZero() {
		_ = o.ws.SetReadDeadline(o.peer.deadline(o.limits.Ping))
	}
}
