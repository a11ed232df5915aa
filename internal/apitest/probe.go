package apitest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Patience bounds every wait, so that a test that hangs says where it does.
const Patience = 60 * time.Second

// Ready waits until a server is ready.
func Ready(t testing.TB, url string) {
	t.Helper()
	AwaitProbe(t, url, http.StatusOK, "ready")
}

// AwaitProbe waits until /readyz answers with a status and a body that contains
// text: one word, or at the operator's address more.
func AwaitProbe(t testing.TB, url string, status int, text string) {
	t.Helper()
	Eventually(t, "/readyz answers "+text, func() bool {
		got, body, err := Probe(t.Context(), url+"/readyz")
		return err == nil && got == status && strings.Contains(body, text)
	})
}

// Eventually waits until a condition holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", Patience, what)
		}
	}
}

// Probe gets a URL.
func Probe(ctx context.Context, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := Client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}
