package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"chirp/internal/outage"
)

// client calls a server's GraphQL endpoint over HTTP.
type client struct {
	url  string
	http *http.Client
}

func newClient(url string, workers int) *client {
	return &client{url: url, http: &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: workers},
	}}
}

type request struct {
	query     string
	variables map[string]any
	token     string
	readAfter int64 // the position that the response must show, 0 for none
}

// patience is how long do repeats a call, to a server that is overloaded or
// restarting, before the call has failed.
const patience = 5 * time.Minute

// errTryAgain is the error of a call that the server was not ready to answer.
var errTryAgain = errors.New("try again")

// do calls the server and decodes data into out. It repeats a call that failed with
// errTryAgain. That is safe for mutations too, because they carry a command id.
func (c *client) do(ctx context.Context, r request, out any) error {
	start := time.Now()
	for tries := 1; ; tries++ {
		err := c.once(ctx, r, out)
		if !errors.Is(err, errTryAgain) || time.Since(start) > patience {
			return err
		}
		if !outage.Pause(ctx, outage.Delay(10*time.Millisecond, tries)) {
			return ctx.Err()
		}
	}
}

func (c *client) once(ctx context.Context, r request, out any) error {
	body, err := json.Marshal(map[string]any{"query": r.query, "variables": r.variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.readAfter > 0 {
		req.Header.Set("Chirp-Read-After", strconv.FormatInt(r.readAfter, 10))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var response struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&response); err != nil {
		return fmt.Errorf("read a response with status %s: %w", resp.Status, err)
	}
	for _, e := range response.Errors {
		err := fmt.Errorf("%s: %s", e.Extensions.Code, e.Message)
		switch e.Extensions.Code {
		case "NOT_YET_VISIBLE", "UNAVAILABLE":
			return fmt.Errorf("%w: %w", errTryAgain, err)
		default:
			return err
		}
	}
	return json.Unmarshal(response.Data, out)
}
