package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

// feedAdded is what the sockets subscribe to.
const feedAdded = `{"id":"1","type":"subscribe","payload":{"query":"subscription { feedChirpAdded { cursor node { id content postedAt author { id username } } } }"}}`

// sockets are open WebSockets, each of a user of its own.
type sockets []*websocket.Conn

// socketPatience bounds how long opening a socket may take.
const socketPatience = 30 * time.Second

// connect opens a socket for each token, some at a time, and subscribes with messages.
// One loopback address has only so many of them, as many as an address may have.
func connect(ctx context.Context, url string, tokens []string, messages ...string) (sockets, error) {
	open := make(sockets, len(tokens))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, token := range tokens {
		g.Go(func() (err error) {
			open[i], err = connectOne(ctx, url, token, fmt.Sprintf("127.0.1.%d", 1+i/socketsOfAddress), messages)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		open.close()
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	return open, nil
}

const socketsOfAddress = 1000

func connectOne(ctx context.Context, url, token, from string, messages []string) (*websocket.Conn, error) {
	dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	d := websocket.Dialer{
		Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: socketPatience,
		ReadBufferSize: 1024, WriteBufferSize: 256, NetDialContext: dial.DialContext,
	}
	conn, resp, err := d.DialContext(ctx, "ws"+strings.TrimPrefix(url, "http")+"/graphql", nil)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	initialize := fmt.Sprintf(`{"type":"connection_init","payload":{"authorization":"Bearer %s"}}`, token)
	err = errors.Join(conn.SetReadDeadline(time.Now().Add(socketPatience)), conn.WriteMessage(websocket.TextMessage, []byte(initialize)))
	if err == nil {
		err = acknowledged(conn)
	}
	for _, m := range messages {
		err = errors.Join(err, conn.WriteMessage(websocket.TextMessage, []byte(m)))
	}
	if err = errors.Join(err, conn.SetReadDeadline(time.Time{})); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func acknowledged(conn *websocket.Conn) error {
	_, text, err := conn.ReadMessage()
	if err == nil && !strings.Contains(string(text), "connection_ack") {
		err = fmt.Errorf("got %s, want connection_ack", text)
	}
	return err
}

func (open sockets) close() {
	for _, conn := range open {
		if conn != nil {
			conn.Close()
		}
	}
}
