package httpserver

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// refuse answers as the API does: errors in JSON, each with a code.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(refusal(code, message)) // an error means that the client has gone
}

// refusal returns the JSON of a refusal.
func refusal(code, message string) []byte {
	body, err := json.Marshal(map[string]any{"errors": []any{map[string]any{
		"message": message, "extensions": map[string]any{"code": code},
	}}})
	if err != nil {
		return []byte(`{"errors":[{"message":"refused"}]}`)
	}
	return body
}

func notFound(w http.ResponseWriter, r *http.Request) {
	refuse(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("there is nothing at %.100s; the API is at /graphql", r.URL.Path))
}

// methodNotAllowed refuses a request that is neither GET nor HEAD.
func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	refuse(w, http.StatusMethodNotAllowed, "BAD_USER_INPUT", fmt.Sprintf("%.100s takes GET and HEAD only; the API is at /graphql", r.URL.Path))
}
