package transport

import (
	"cmp"
	"time"
)

// Limits bound what one client can send and keep open. A zero field stands for
// its default, a negative one is as good as 1.
type Limits struct {
	Body             int64         // bytes of a request or of a socket's message; 256 KiB
	SocketQueue      int           // bytes waiting to be read by a socket's client; 1 MiB
	SocketOperations int           // operations under way on one socket; 100
	SocketInit       time.Duration // until connection_init must be there; 3 s
	Ping             time.Duration // between pings; a peer silent for two of them is dead; 15 s
	Write            time.Duration // for one message to be taken by the network; 10 s

	// SocketsPerUser bounds the sockets and streams of subscriptions that one
	// user keeps open; 20.
	SocketsPerUser int
	// SocketsPerAddress bounds those of one client address that are no user's,
	// and besides them the sockets that have not sent connection_init; 500.
	SocketsPerAddress int
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Body:              limit(l.Body, 256<<10),
		SocketQueue:       limit(l.SocketQueue, 1<<20),
		SocketOperations:  limit(l.SocketOperations, 100),
		SocketInit:        limit(l.SocketInit, 3*time.Second),
		Ping:              limit(l.Ping, 15*time.Second),
		Write:             limit(l.Write, 10*time.Second),
		SocketsPerUser:    limit(l.SocketsPerUser, 20),
		SocketsPerAddress: limit(l.SocketsPerAddress, 500),
	}
}

func limit[T int | int64 | time.Duration](value, byDefault T) T {
	return max(1, cmp.Or(value, byDefault))
}
