package app_test

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/app"

	"go.uber.org/goleak"

	"chirp/internal/storage/mongodb/mongotest"
)

// This test is not parallel, so that all goroutines which it sees start are its
// own.
func TestServeLeavesNothingBehind(t *testing.T) {
	places := map[string]apitest.Place{"embedded": apitest.Embedded(t.TempDir()), "mongodb": apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))}
	for name, p := range places {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			s := start(t, p, nil)
			users := apitest.RegisterAll(t, s.URL, "Ann", "Bob")
			watch := apitest.Must(users[0].At(s.URL).Connect(t.Context()))(t)
			if err := watch.Subscribe("feed", apitest.FeedAddedDocument, nil); err != nil {
				t.Fatal(err)
			}
			apitest.PostAll(t, users[1].At(s.URL), "one", "two")
			s.Stop(t)
			watch.Close()
			apitest.Client.CloseIdleConnections()
			goleak.VerifyNone(t, before)
		})
	}
}

func TestServeRefusesAnAddressInUse(t *testing.T) {
	l := apitest.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	err := app.Serve(t.Context(), app.Config{Addr: l.Addr().String()}, away, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "listen on "+l.Addr().String()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Serve: got error %v, want one line that names the address", err)
	}
	var network *net.OpError
	if !errors.As(err, &network) {
		t.Errorf("Serve: got error %v, want the network's in its chain", err)
	}
}
