package api_test

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

// request is a GraphQL request, to be sent in every way that there is.
type request struct {
	token, operation string
	variables        map[string]any
}

// way is one way for an operation to come in and its responses to go out.
type way struct {
	name string
	// send returns all responses of an operation that ends. It judges how they
	// are framed.
	send func(t *testing.T, w *world, r request) []answer
	// queries is set where mutations cannot come in, subscribes where
	// subscriptions can.
	queries, subscribes bool
}

func ways() []way {
	return []way{
		{name: "JSON", send: posted("application/json")},
		{name: "graphql-response+json", send: posted("application/graphql-response+json")},
		{name: "GET", queries: true, send: gotten("application/json")},
		{name: "events", subscribes: true, send: posted("text/event-stream")},
		{name: "events by GET", queries: true, subscribes: true, send: gotten("text/event-stream")},
		{name: "multipart", subscribes: true, send: posted(`multipart/mixed;subscriptionSpec="1.0"`)},
		{name: "graphql-transport-ws", subscribes: true, send: overSocket("graphql-transport-ws")},
		{name: "graphql-ws", subscribes: true, send: overSocket("graphql-ws")},
	}
}

func posted(accept string) func(*testing.T, *world, request) []answer {
	return func(t *testing.T, w *world, r request) []answer {
		t.Helper()
		body := marshal(map[string]any{"query": r.operation, "variables": r.variables})
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		return w.responses(t, q, accept, r.token)
	}
}

func gotten(accept string) func(*testing.T, *world, request) []answer {
	return func(t *testing.T, w *world, r request) []answer {
		t.Helper()
		values := url.Values{"query": {r.operation}, "variables": {marshal(r.variables)}}
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"?"+values.Encode(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return w.responses(t, q, accept, r.token)
	}
}

// responses makes an HTTP request and reads its answer to the end.
func (w *world) responses(t *testing.T, r *http.Request, accept, token string) []answer {
	t.Helper()
	r.Header.Set("Accept", accept)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := w.server.Client().Do(r)
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
		texts = eventsIn(t, string(body))
	case "multipart/mixed":
		texts = partsIn(t, body, params["boundary"])
	default:
		texts = []string{string(body)}
	}
	answers := decodeAll(t, texts)
	for i := range answers {
		answers[i].status, answers[i].header = response.StatusCode, response.Header
	}
	return answers
}

func decodeAll(t *testing.T, texts []string) []answer {
	t.Helper()
	answers := make([]answer, len(texts))
	for i, text := range texts {
		answers[i].body = text
		if err := json.Unmarshal([]byte(text), &answers[i]); err != nil {
			t.Fatalf("got %.300q: %v", text, err)
		}
		checkPaths(t, text)
	}
	return answers
}

// eventsIn returns the data of the events next; complete must come last, once.
func eventsIn(t *testing.T, body string) (all []string) {
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

// partsIn returns the payloads of the parts, which the closing boundary must end.
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

// overSocket sends an operation over a socket of its own, which must live on
// after the operation has ended.
func overSocket(protocol string) func(*testing.T, *world, request) []answer {
	return func(t *testing.T, w *world, r request) []answer {
		t.Helper()
		d := dialer
		d.Subprotocols = []string{protocol}
		c := dialTo(t, w.server, d, nil)
		defer c.ws.Close()
		c.initiate(r.token)
		all := c.run(t, "1", protocol, r)
		alive := c.run(t, "2", protocol, request{operation: `{ __typename }`})
		if len(alive) != 1 || alive[0].at("__typename") != "Query" {
			t.Fatalf("after %s the socket answers %+v, want it to live on", r.operation, alive)
		}
		return all
	}
}

// run reads messages until an operation has ended. An error ends it, and has
// the same form as an answer here.
func (c *wire) run(t *testing.T, id, protocol string, r request) []answer {
	t.Helper()
	start := map[string]string{"graphql-transport-ws": "subscribe", "graphql-ws": "start"}[protocol]
	payload := marshal(map[string]any{"query": r.operation, "variables": r.variables})
	c.send(message{ID: id, Type: start, Payload: json.RawMessage(payload)})
	var texts []string
	for {
		m := c.read()
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
		return decodeAll(t, texts)
	}
}

// checkPaths reports errors whose path is not one through the response's data,
// to what is there or to the null that stands for it.
func checkPaths(t testing.TB, response string) {
	t.Helper()
	var r struct {
		Data   any
		Errors []struct {
			Message string
			Path    []any
		}
	}
	if err := json.Unmarshal([]byte(response), &r); err != nil {
		return // no response, as its test knows
	}
	for _, e := range r.Errors {
		switch {
		case e.Path == nil:
		case !strings.Contains(response, `"data":`):
			t.Errorf("the error %q has the path %v and there is no data", e.Message, e.Path)
		case len(e.Path) == 0 || !leads(r.Data, e.Path):
			t.Errorf("the error %q has the path %v, which does not lead through %.300s", e.Message, e.Path, response)
		}
	}
}

// leads reports whether a path leads to a value or to a null on the way.
func leads(v any, path []any) bool {
	if v == nil || len(path) == 0 {
		return true
	}
	switch step := path[0].(type) {
	case string:
		fields, _ := v.(map[string]any)
		value, ok := fields[step]
		return ok && leads(value, path[1:])
	case float64:
		items, _ := v.([]any)
		return int(step) >= 0 && int(step) < len(items) && leads(items[int(step)], path[1:])
	default:
		return false
	}
}
