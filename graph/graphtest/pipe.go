package graphtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"

	"chirp/graph/api"
)

// InBubble runs a test in a synctest bubble, with a world whose clients reach it
// through pipes. Time passes only while all goroutines wait, so that nothing is late
// however busy the machine is.
func InBubble(t *testing.T, test func(t *testing.T, w *World), change ...func(*api.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, api.New, change...)
		l := &pipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
		w.Server = &httptest.Server{Listener: l, Config: &http.Server{Handler: w.Handler}}
		w.Server.Start()
		w.Server.Client().Transport = &http.Transport{DialContext: l.dial}
		w.dial = l.dial
		t.Cleanup(w.close)
		test(t, w)
	})
}

// pipeListener is a listener whose connections are in-memory pipes.
type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.closed:
		return nil, errors.New("the server is closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "chirp.test", Net: "pipe"} }
