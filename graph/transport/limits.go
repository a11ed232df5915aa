package transport

import (
	"cmp"
	"runtime"
	"time"
)

// Limits bound what one client may send and keep open. The zero value of a field
// means its default; a negative value means 1.
type Limits struct {
	Body             int64         // bytes of a request or of a socket's message; 256 KiB
	SocketQueue      int           // bytes queued for a socket's client; 1 MiB
	SocketOperations int           // operations under way on one socket; 100
	SocketInit       time.Duration // until a socket must send connection_init; 3 s
	Ping             time.Duration // between pings; a peer that is silent for two of them is dropped; 15 s
	Write            time.Duration // for writing one message; 10 s

	// SocketsPerUser is how many sockets and subscription streams each user may have
	// open; 150.
	SocketsPerUser int
	// SocketsPerAddress is how many anonymous ones each client address may have open,
	// and how many more sockets that have not sent connection_init; 500.
	SocketsPerAddress int

	// Executing is how many places there are for operations that are decoded and
	// executed at once, of which large or expensive ones take several; 8 for each
	// processor. One IPv4 address or IPv6 /48 may have three quarters of them.
	Executing int
	// Receiving is how many bytes of large bodies and messages are received at once;
	// 16 MiB. One IPv4 address or IPv6 /48 may have a quarter of them.
	Receiving int64
	// Unread is how many bytes of responses may be kept for clients that have not read
	// them yet; 64 MiB. One network may have a quarter of them, and one caller a quarter
	// of that.
	Unread int64
	// SubscriptionsPerUser is how many subscriptions each user may have running; 250.
	SubscriptionsPerUser int
	// SubscriptionsPerAddress is how many may run from each client address, with and
	// without a token; 2,500.
	SubscriptionsPerAddress int
	// Subscriptions is how many may run in all; 15,000, which hold about 400 MB.
	Subscriptions int
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Body:              limit(l.Body, 256<<10),
		SocketQueue:       limit(l.SocketQueue, 1<<20),
		SocketOperations:  limit(l.SocketOperations, 100),
		SocketInit:        limit(l.SocketInit, 3*time.Second),
		Ping:              limit(l.Ping, 15*time.Second),
		Write:             limit(l.Write, 10*time.Second),
		SocketsPerUser:    limit(l.SocketsPerUser, 150),
		SocketsPerAddress: limit(l.SocketsPerAddress, 500),
		Executing:         limit(l.Executing, 8*runtime.GOMAXPROCS(0)),
		Receiving:         limit(l.Receiving, 16<<20),
		Unread:            limit(l.Unread, 64<<20),

		SubscriptionsPerUser:    limit(l.SubscriptionsPerUser, 250),
		SubscriptionsPerAddress: limit(l.SubscriptionsPerAddress, 2_500),
		Subscriptions:           limit(l.Subscriptions, 15_000),
	}
}

func limit[T int | int64 | time.Duration](value, byDefault T) T {
	return max(1, cmp.Or(value, byDefault))
}
