package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"chirp/bench/client"
	"chirp/internal/outage"
)

// broadcast is a round of posts that many sockets receive.
type broadcast struct {
	round   int
	sockets int64
	began   time.Time
	posts   []pushedPost
	posting sync.WaitGroup
	done    chan struct{} // receives a signal for each post that all sockets have
}

// pushedPost has times since the broadcast began.
type pushedPost struct {
	sent, answered time.Duration
	first, last    atomic.Int64
	frames         atomic.Int64
}

// delays are from the sending of each post.
type delays struct{ answered, first, last []time.Duration }

func newBroadcast(round, posts, sockets int) *broadcast {
	return &broadcast{round: round, sockets: int64(sockets), began: time.Now(), posts: make([]pushedPost, posts), done: make(chan struct{}, posts)}
}

// marker precedes the number of a post in its text.
const marker = "push number "

// run posts at the rate of postsPerSecond, whether or not earlier posts were pushed,
// and waits until every socket has every post.
func (b *broadcast) run(ctx context.Context, url, token string, open sockets) (delays, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, conn := range open {
		if err := conn.SetReadDeadline(time.Now().Add(2 * pushPatience)); err != nil {
			return delays{}, err
		}
		go func() {
			if err := b.read(conn); err != nil {
				cancel(err)
			}
		}()
	}
	for i := range b.posts {
		if !outage.Pause(ctx, time.Until(b.began.Add(time.Duration(i)*time.Second/postsPerSecond))) {
			return delays{}, context.Cause(ctx)
		}
		b.posting.Go(func() {
			if err := b.post(url, token, i); err != nil {
				cancel(err)
			}
		})
	}
	return b.await(ctx)
}

// read reads a frame of each post.
func (b *broadcast) read(conn *websocket.Conn) error {
	for range b.posts {
		_, frame, err := conn.ReadMessage()
		if err == nil {
			err = b.received(frame)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *broadcast) post(url, token string, i int) error {
	c, err := client.Dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	p := &b.posts[i]
	request := client.Request(url, token, postDocument, map[string]any{"c": fmt.Sprintf("%s%d.%06d, which is about as long as a chirp.", marker, b.round, i)})
	p.sent = time.Since(b.began)
	body, err := c.Do(request)
	if err == nil {
		err = posted(body)
	}
	p.answered = time.Since(b.began)
	return err
}

// received notes a frame.
func (b *broadcast) received(frame []byte) error {
	now := int64(time.Since(b.began))
	_, rest, found := bytes.Cut(frame, []byte(marker+strconv.Itoa(b.round)+"."))
	if !found || len(rest) < 6 {
		return fmt.Errorf("a socket received %.300s", frame)
	}
	i, err := strconv.Atoi(string(rest[:6]))
	if err != nil || i >= len(b.posts) {
		return fmt.Errorf("a socket received %.300s", frame)
	}
	p := &b.posts[i]
	p.first.CompareAndSwap(0, now)
	for last := p.last.Load(); now > last && !p.last.CompareAndSwap(last, now); last = p.last.Load() {
	}
	if p.frames.Add(1) == b.sockets {
		b.done <- struct{}{}
	}
	return nil
}

// await waits until every socket has every post.
func (b *broadcast) await(ctx context.Context) (d delays, err error) {
	timeout := time.After(pushPatience)
	for range b.posts {
		select {
		case <-b.done:
		case <-ctx.Done():
			return d, context.Cause(ctx)
		case <-timeout:
			return d, errors.New("not every socket received every post in time")
		}
	}
	b.posting.Wait()
	for i := range b.posts {
		p := &b.posts[i]
		d.answered = append(d.answered, p.answered-p.sent)
		d.first = append(d.first, time.Duration(p.first.Load())-p.sent)
		d.last = append(d.last, time.Duration(p.last.Load())-p.sent)
	}
	return d, nil
}
