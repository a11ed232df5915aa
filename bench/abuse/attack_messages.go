package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// flooded keeps n sockets without a token open, on which it sends without pause,
// and reads.
func (a *attacker) flooded(ctx context.Context, n int, send func(s *apitest.Socket, n int) error) {
	together(ctx, n, func(ctx context.Context, _ int) {
		for ; ctx.Err() == nil; outage.Pause(ctx, 100*time.Millisecond) {
			socket, err := a.anonymous(address(0)).socket(ctx, address(0))
			if err != nil {
				a.count(err)
				continue
			}
			stop := context.AfterFunc(ctx, socket.Close)
			go a.countFrames(socket)
			for i := 0; err == nil; i++ {
				err = send(socket, i)
			}
			if ctx.Err() == nil {
				a.failed.Add(1) // the server has closed it
			}
			stop()
			socket.Close()
		}
	})
}

// countFrames counts what a socket receives, until it is closed.
func (a *attacker) countFrames(s *apitest.Socket) {
	for {
		f, err := s.Read()
		if err != nil {
			return
		}
		a.countFrame(f)
	}
}

// pingLarge sends the protocol's ping, with as large a payload as it may have.
func pingLarge(ctx context.Context, a *attacker) {
	payload := json.RawMessage(`{"x":"` + strings.Repeat("x", bodySize) + `"}`)
	a.flooded(ctx, 20, func(s *apitest.Socket, _ int) error { return s.Write("", "ping", payload) })
}

// completeUnknown ends operations that there are not, and sends pongs.
func completeUnknown(ctx context.Context, a *attacker) {
	a.flooded(ctx, 20, func(s *apitest.Socket, n int) error {
		if n%2 == 0 {
			return a.sent(1, s.Write("", "pong", apitest.Vars{}))
		}
		return a.sent(1, s.WS.WriteJSON(apitest.Frame{ID: fmt.Sprint(n), Type: "complete"}))
	})
}

// sent counts messages that have no answer.
func (a *attacker) sent(n int64, err error) error {
	if err == nil {
		a.done.Add(n)
	}
	return err
}

// pingFrames sends WebSocket pings without a payload, many at a time.
func pingFrames(ctx context.Context, a *attacker) {
	frames := bytes.Repeat(pingFrame(nil), 1000)
	a.flooded(ctx, 20, func(s *apitest.Socket, _ int) error {
		_, err := s.WS.NetConn().Write(frames)
		return a.sent(1000, err)
	})
}

// pingMegabyte sends a megabyte a second of WebSocket pings on each socket.
func pingMegabyte(ctx context.Context, a *attacker) {
	frame := pingFrame(bytes.Repeat([]byte("x"), 125))
	const perSend = 800
	frames := bytes.Repeat(frame, perSend)
	a.flooded(ctx, 100, func(s *apitest.Socket, _ int) error {
		_, err := s.WS.NetConn().Write(frames)
		outage.Pause(ctx, time.Second/10)
		return a.sent(perSend, err)
	})
}

// pingFrame returns a ping of a client: a control frame, masked by zeros.
func pingFrame(payload []byte) []byte {
	const fin, ping, masked = 0x80, websocket.PingMessage, 0x80
	frame := []byte{fin | ping, masked | byte(len(payload))}
	return append(binary.BigEndian.AppendUint32(frame, 0), payload...)
}

// pingWithoutReading sends pings, and reads no answer.
func pingWithoutReading(ctx context.Context, a *attacker) {
	frames := bytes.Repeat(pingFrame(bytes.Repeat([]byte("x"), 125)), 1000)
	together(ctx, 100, func(ctx context.Context, _ int) {
		for ; ctx.Err() == nil; outage.Pause(ctx, 100*time.Millisecond) {
			conn, err := dialSocket(ctx, a.URL, address(0), "graphql-transport-ws")
			if err != nil {
				a.count(err)
				continue
			}
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			err = conn.WriteJSON(apitest.Frame{Type: "connection_init"})
			for err == nil {
				var n int
				n, err = conn.NetConn().Write(frames)
				a.done.Add(int64(n / len(frames) * 1000))
			}
			stop()
			conn.Close()
		}
	})
}

// repetitiveDocument asks for each of 100 chirps' contents under 49 long names.
func repetitiveDocument() string {
	var b strings.Builder
	b.WriteString("{ recentChirps(first: 100) { edges { node {")
	for i := range 49 {
		fmt.Fprintf(&b, " a%0120d: content", i)
	}
	return b.String() + " } } } }"
}

// askWithoutReading asks for the largest responses as each of the accounts, on 100
// sockets, and reads none.
func askWithoutReading(ctx context.Context, a *attacker) {
	document := apitest.Vars{"query": repetitiveDocument()}
	together(ctx, 100, func(ctx context.Context, i int) {
		for ; ctx.Err() == nil; outage.Pause(ctx, 100*time.Millisecond) {
			socket, err := a.as(firstAttacker+i%20, address(0)).socket(ctx, address(0))
			if err != nil {
				a.count(err)
				continue
			}
			stop := context.AfterFunc(ctx, socket.Close)
			for n := 0; err == nil && n < 100; n++ {
				err = a.sent(1, socket.Write(fmt.Sprint(n), "subscribe", document))
			}
			if err == nil {
				<-ctx.Done()
			}
			stop()
			socket.Close()
		}
	})
}

// initialize opens sockets again and again, without initializing them.
func initialize(ctx context.Context, a *attacker) {
	together(ctx, 50, func(ctx context.Context, _ int) {
		a.repeat(ctx, pace, func(int) error {
			conn, err := dialSocket(ctx, a.URL, address(0), "graphql-transport-ws")
			if err == nil {
				err = conn.Close()
			}
			return err
		})
	})
}
