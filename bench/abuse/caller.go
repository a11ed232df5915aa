package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"chirp/internal/apitest"
)

// callTimeout bounds a call. A call that takes longer has failed.
const callTimeout = 30 * time.Second

// dialFrom returns a func that connects from a loopback address, so that a
// server has distinct clients although all run here.
func dialFrom(address string) func(ctx context.Context, network, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: callTimeout}
	return d.DialContext
}

// clientFrom returns an HTTP client with connections of its own.
func clientFrom(address string) *http.Client {
	return &http.Client{Timeout: callTimeout, Transport: &http.Transport{DialContext: dialFrom(address), MaxIdleConnsPerHost: 1000}}
}

// caller calls a server as a user, or anonymously.
type caller struct {
	url, token string
	client     *http.Client
}

func newCaller(url, token, address string) caller { return caller{url, token, clientFrom(address)} }

// do sends an operation and decodes the data of the answer. readAfter is the
// position that the answer must show, or "".
func (c caller) do(ctx context.Context, document string, variables apitest.Vars, readAfter string, into any) error {
	body, err := json.Marshal(apitest.Vars{"query": document, "variables": variables})
	if err != nil {
		return err
	}
	resp, err := c.post(ctx, body, readAfter)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return apitest.ReadAnswer(text, into)
}

func (c caller) post(ctx context.Context, body []byte, readAfter string) (*http.Response, error) {
	req, err := c.request(ctx, body)
	if err != nil {
		return nil, err
	}
	if readAfter != "" {
		req.Header.Set("Chirp-Read-After", readAfter)
	}
	return c.client.Do(req)
}

// request returns a request that posts a body.
func (c caller) request(ctx context.Context, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}

// logIn returns a token of a user of the world.
func (c caller) logIn(ctx context.Context, user int, password string) (string, error) {
	var got struct{ LogIn struct{ Token string } }
	err := c.do(ctx, logInDocument, apitest.Vars{"u": nameOf(user), "p": password}, "", &got)
	return got.LogIn.Token, err
}

const logInDocument = `mutation($u: String!, $p: String!) { logIn(input: {username: $u, password: $p}) { token } }`

// dialSocket opens a socket of the subprotocol, without initializing it.
func dialSocket(ctx context.Context, url, address, subprotocol string) (*websocket.Conn, error) {
	d := websocket.Dialer{Subprotocols: []string{subprotocol}, HandshakeTimeout: callTimeout, NetDialContext: dialFrom(address)}
	conn, resp, err := d.DialContext(ctx, "ws"+url[len("http"):]+"/graphql", nil)
	if err == nil {
		resp.Body.Close()
	}
	return conn, err
}

// socket opens an initialized socket.
func (c caller) socket(ctx context.Context, address string) (*apitest.Socket, error) {
	conn, err := dialSocket(ctx, c.url, address, "graphql-transport-ws")
	if err != nil {
		return nil, err
	}
	s := &apitest.Socket{WS: conn}
	payload := apitest.Vars{}
	if c.token != "" {
		payload["authorization"] = "Bearer " + c.token
	}
	if err = s.Write("", "connection_init", payload); err == nil {
		_, err = s.Read() // connection_ack
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newConnections returns a transport that makes a new connection for each call.
func newConnections(address string) *http.Transport {
	return &http.Transport{DialContext: dialFrom(address), DisableKeepAlives: true}
}
