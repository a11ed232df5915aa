package app_test

import (
	"net/netip"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/app"
)

// TestSocketsThroughAProxyCountForTheirClients opens sockets of two clients behind one
// proxy. A socket counts until it is closed, although its handler returns at the upgrade.
func TestSocketsThroughAProxyCountForTheirClients(t *testing.T) {
	const most = 3
	s := start(t, apitest.Embedded(t.TempDir()), func(cfg *app.Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		cfg.HTTP.ConnectionsPerAddress = most
	})
	ada := apitest.RegisterAll(t, s.URL, "ada")[0].At(s.URL)
	connect := func(from string) (*apitest.Socket, error) {
		a := ada
		a.From = from
		return a.Connect(t.Context())
	}
	var open []*apitest.Socket
	for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
		for range most {
			socket := apitest.Must(connect(client))(t)
			defer socket.Close()
			open = append(open, socket)
		}
		if _, err := connect(client); err == nil || !strings.Contains(err.Error(), "429") {
			t.Errorf("one socket more of %s: got error %v, want 429", client, err)
		}
	}
	request := ada
	request.From = "192.0.2.1"
	if err := request.Do(t.Context(), "{ __typename }", nil, nil); apitest.Code(err) != "RATE_LIMITED" {
		t.Errorf("a request beside the sockets: got %v, want RATE_LIMITED", err)
	}
	open[0].Close()
	apitest.Eventually(t, "a closed socket makes room for one", func() bool {
		socket, err := connect("192.0.2.1")
		if err == nil {
			defer socket.Close()
			_, err = connect("192.0.2.1")
			return err != nil
		}
		return false
	})
	for range 3 * most { // each leaves when its response is written, on connections that are kept
		apitest.Eventually(t, "there is room for a request", func() bool { return request.Do(t.Context(), "{ __typename }", nil, nil) == nil })
	}
}
