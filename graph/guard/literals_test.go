package guard_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chirp/graph/graphtest"
)

// ways are the transports, each of which sends a document and returns what
// comes back.
func ways(t *testing.T, w *graphtest.World) map[string]func(document string) string {
	post := func(accept string) func(string) string {
		return func(document string) string {
			response, stop := w.Open(t, accept, "", document)
			defer stop()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
	}
	return map[string]func(string) string{
		"JSON":          post("application/json"),
		"response+json": post("application/graphql-response+json"),
		"events":        post("text/event-stream"),
		"multipart":     post(graphtest.MultipartSubscriptions),
		"GET": func(document string) string {
			return w.Raw(http.MethodGet, "?query="+url.QueryEscape(document), "", "", nil).Body
		},
		"a persisted query": func(document string) string {
			named := map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": graphtest.DocumentID(document)[7:]}}
			return w.PostJSON(map[string]any{"query": document, "extensions": named}).Body
		},
		"socket": func(document string) string {
			c := w.Socket(t, "")
			c.Subscribe("1", document)
			return string(c.Read().Payload)
		},
		"old socket": func(document string) string {
			c := w.LegacySocket(t, "")
			c.Start("1", document)
			return string(c.Read().Payload)
		},
	}
}

func TestAllTransportsReadDocumentsAlike(t *testing.T) {
	w := graphtest.New(t)
	for _, c := range []struct{ name, document, code, place string }{
		{"a lone surrogate", "query {\r\n  user(username: \"hi \\uD83D\") { id } }", "GRAPHQL_PARSE_FAILED", `"line":2,"column":22`},
		{"a lone surrogate in a mutation", `mutation { registerUser(input: {username: "ada", password: "a password \uDC00"}) { token } }`, "GRAPHQL_PARSE_FAILED", `"line":1,"column":72`},
		{"a syntax error after CRLF", "query {\r\n\r\n  viewer {\r\n    ? } }", "GRAPHQL_PARSE_FAILED", `"line":4,"column":5`},
		{"an unknown field after CRLF", "query {\r\n  viewer { nonsense } }", "GRAPHQL_VALIDATION_FAILED", `"line":2,"column":12`},
		{"an unknown field after CR", "query {\r  viewer { nonsense } }", "GRAPHQL_VALIDATION_FAILED", `"line":2,"column":12`},
	} {
		for way, send := range ways(t, w) {
			if way == "GET" && strings.HasPrefix(c.document, "mutation") {
				continue // refused for that
			}
			got := send(c.document)
			if !strings.Contains(got, `"code":"`+c.code+`"`) || !strings.Contains(got, c.place) || strings.Contains(got, `"data":{`) {
				t.Errorf("%s by %s: got %s, want %s at %s", c.name, way, got, c.code, c.place)
			}
		}
	}
}

func TestEscapedSurrogatePairsAreOneCharacter(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for literal, want := range map[string]string{
		`"hi \uD83D\uDE00"`:     "hi 😀",
		`"hi \u{1F600}"`:        "hi 😀",
		`"""\uD83D"""`:          `\uD83D`,
		"\"\"\"a\r\nb\rc\"\"\"": "a\nb\nc",
	} {
		document := "mutation { postChirp(input: {content: " + literal + "}) { chirp { content } } }"
		if got := w.Must(ada.Token, document, nil).At("postChirp.chirp.content"); got != want {
			t.Errorf("%s: got %q, want %q", literal, got, want)
		}
	}
}

func TestPasswordsWithALoneSurrogateAreRefused(t *testing.T) {
	w := graphtest.New(t)
	const document = `mutation($p: String!) { registerUser(input: {username: "ada", password: $p}) { token } }`
	body := `{"query": ` + graphtest.Marshal(document) + `, "variables": {"p": "a password \ud83d"}}`
	response, err := http.Post(w.Server.URL, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got graphtest.Answer
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got.Data != nil || len(got.Errors) == 0 {
		t.Errorf("got %+v, %v; want a refusal", got, err)
	}
}
