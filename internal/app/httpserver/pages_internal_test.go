package httpserver

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestScreensOfTheClientAreKnown compares the screens with the client's routes.
func TestScreensOfTheClientAreKnown(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "..", "..", "web", "src", "app.tsx"))
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`<Route path="(/[^"]*)"`).FindAllStringSubmatch(string(source), -1)
	if len(routes) < 5 {
		t.Fatalf("found %d routes, want all", len(routes))
	}
	for _, route := range routes {
		if !isScreen(route[1]) {
			t.Errorf("the client has a screen at %s, which the server does not know", route[1])
		}
	}
}
