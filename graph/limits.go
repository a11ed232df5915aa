package graph

import (
	"time"

	"chirp/internal/query"
)

// Limits bound what one client can ask for. A zero field stands for its
// default, a negative one is as good as 1.
type Limits struct {
	Body       int64 // bytes of a request or of a socket's message; 256 KiB
	Tokens     int   // words of a document; 5,000
	Depth      int   // fields inside of fields; 15
	Aliases    int   // fields of an operation under another name, with its fragments put in; 50
	Mutations  int   // fields of a mutation, with its fragments put in; 10
	Directives int   // directives of an operation, with its fragments put in; 50
	Fields     int   // fields of an operation, with its fragments put in; 1,000
	Page       int   // rows of a page, at most query.MaxFirst; 100
	Cost       int   // of an operation, for which lists count as often as they are long; 10,000

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
	orDefault(&l.Body, 256<<10)
	orDefault(&l.Tokens, 5_000)
	orDefault(&l.Depth, 15)
	orDefault(&l.Aliases, 50)
	orDefault(&l.Mutations, 10)
	orDefault(&l.Directives, 50)
	orDefault(&l.Fields, 1_000)
	orDefault(&l.Page, query.MaxFirst)
	orDefault(&l.Cost, 10_000)
	orDefault(&l.SocketQueue, 1<<20)
	orDefault(&l.SocketOperations, 100)
	orDefault(&l.SocketInit, 3*time.Second)
	orDefault(&l.Ping, 15*time.Second)
	orDefault(&l.Write, 10*time.Second)
	orDefault(&l.SocketsPerUser, 20)
	orDefault(&l.SocketsPerAddress, 500)
	return l
}

func orDefault[T int | int64 | time.Duration](value *T, def T) {
	if *value == 0 {
		*value = def
	}
	*value = max(*value, 1)
}
