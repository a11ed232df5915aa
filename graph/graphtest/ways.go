package graphtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Request is a GraphQL request, to be sent in every way.
type Request struct {
	Token, Operation string
	Variables        map[string]any
}

// Way is one way to send an operation and receive its responses.
type Way struct {
	Name string
	// Send sends an operation that ends, checks the framing, and returns the
	// responses.
	Send func(t *testing.T, w *World, r Request) []Answer
	// Queries is whether only queries can be sent, Subscribes whether subscriptions
	// can be.
	Queries, Subscribes bool
}

// Ways returns all ways.
func Ways() []Way {
	return []Way{
		{Name: "JSON", Send: posted("application/json")},
		{Name: "graphql-response+json", Send: posted("application/graphql-response+json")},
		{Name: "GET", Queries: true, Send: gotten("application/json")},
		{Name: "events", Subscribes: true, Send: posted("text/event-stream")},
		{Name: "events by GET", Queries: true, Subscribes: true, Send: gotten("text/event-stream")},
		{Name: "multipart", Subscribes: true, Send: posted(`multipart/mixed;subscriptionSpec="1.0"`)},
		{Name: "graphql-transport-ws", Subscribes: true, Send: overSocket("graphql-transport-ws")},
		{Name: "graphql-ws", Subscribes: true, Send: overSocket("graphql-ws")},
	}
}

func posted(accept string) func(*testing.T, *World, Request) []Answer {
	return func(t *testing.T, w *World, r Request) []Answer {
		t.Helper()
		body := Marshal(map[string]any{"query": r.Operation, "variables": r.Variables})
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		return w.responses(t, q, accept, r.Token)
	}
}

func gotten(accept string) func(*testing.T, *World, Request) []Answer {
	return func(t *testing.T, w *World, r Request) []Answer {
		t.Helper()
		values := url.Values{"query": {r.Operation}, "variables": {Marshal(r.Variables)}}
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Server.URL+"?"+values.Encode(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return w.responses(t, q, accept, r.Token)
	}
}

// responses sends an HTTP request and reads the response to its end.
func (w *World) responses(t *testing.T, r *http.Request, accept, token string) []Answer {
	t.Helper()
	r.Header.Set("Accept", accept)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := w.Server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("the answer ends with %v after %q", err, body)
	}
	media, params, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(accept, media) && response.StatusCode == http.StatusOK {
		t.Fatalf("got %d as %q, %v, want %s: %s", response.StatusCode, response.Header.Get("Content-Type"), err, accept, body)
	}
	var texts []string
	switch media {
	case "text/event-stream":
		texts = EventsIn(t, string(body))
	case "multipart/mixed":
		texts = partsIn(t, body, params["boundary"])
	default:
		texts = []string{string(body)}
	}
	answers := DecodeAll(t, texts)
	for i := range answers {
		answers[i].Status, answers[i].Header = response.StatusCode, response.Header
	}
	return answers
}

// EventsIn returns the data of the events next. The last event must be complete.
func EventsIn(t *testing.T, body string) (all []string) {
	t.Helper()
	completed := false
	for event := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		data, next := strings.CutPrefix(event, "event: next\ndata: ")
		switch {
		case completed:
			t.Fatalf("got %q after complete", event)
		case strings.HasPrefix(event, ":"):
		case next && !strings.Contains(data, "\n"):
			all = append(all, data)
		case event == "event: complete\ndata:":
			completed = true
		default:
			t.Fatalf("got %q, which is no event of the protocol, in %q", event, body)
		}
	}
	if !completed {
		t.Fatalf("got %q, want complete at its end", body)
	}
	return all
}

// partsIn returns the payloads of the parts. The closing boundary must be the last.
func partsIn(t *testing.T, body []byte, boundary string) (all []string) {
	t.Helper()
	if !bytes.HasSuffix(body, []byte("\r\n--"+boundary+"--\r\n")) {
		t.Fatalf("got %q, want the closing boundary at its end", body)
	}
	for reader := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		p, err := reader.NextPart()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%v in %q", err, body)
		}
		text, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		var part struct{ Payload json.RawMessage }
		if err := json.Unmarshal(text, &part); err != nil {
			t.Fatalf("got the part %q: %v", text, err)
		}
		if part.Payload != nil {
			all = append(all, string(part.Payload))
		}
	}
}

// overSocket sends an operation over a new socket, which must stay open after the
// operation has ended.
func overSocket(protocol string) func(*testing.T, *World, Request) []Answer {
	return func(t *testing.T, w *World, r Request) []Answer {
		t.Helper()
		d := Dialer
		d.Subprotocols = []string{protocol}
		c := DialServer(t, w.Server, d, nil)
		defer c.Conn.Close()
		c.Initiate(r.Token)
		all := c.run(t, "1", protocol, r)
		alive := c.run(t, "2", protocol, Request{Operation: `{ __typename }`})
		if len(alive) != 1 || alive[0].At("__typename") != "Query" {
			t.Fatalf("after %s the socket answers %+v, want it to live on", r.Operation, alive)
		}
		return all
	}
}

// run starts an operation and reads messages until it has ended. It returns an error
// message in the form of a response.
func (c *Socket) run(t *testing.T, id, protocol string, r Request) []Answer {
	t.Helper()
	start := map[string]string{"graphql-transport-ws": "subscribe", "graphql-ws": "start"}[protocol]
	payload := Marshal(map[string]any{"query": r.Operation, "variables": r.Variables})
	c.Send(Message{ID: id, Type: start, Payload: json.RawMessage(payload)})
	var texts []string
	for {
		m := c.Read()
		if m.ID == "" && m.Type == "ka" {
			continue
		}
		if m.ID != id {
			t.Fatalf("got %+v, want a message of operation %s", m, id)
		}
		switch m.Type {
		case "next", "data":
			texts = append(texts, string(m.Payload))
			continue
		case "error":
			format := map[string]string{"graphql-transport-ws": `{"errors":%s}`, "graphql-ws": `{"errors":[%s]}`}[protocol]
			texts = append(texts, fmt.Sprintf(format, m.Payload))
		case "complete":
		default:
			t.Fatalf("got %+v, which is no message of the protocol", m)
		}
		return DecodeAll(t, texts)
	}
}
