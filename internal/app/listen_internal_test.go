package app

import (
	"log/slog"
	"net"
	"strings"
	"testing"
)

// TestSecondServerTakesAnotherOpsAddress listens with the default settings while
// the operator's address is in use, by this test or by another server.
func TestSecondServerTakesAnotherOpsAddress(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	taken, err := net.Listen("tcp", DefaultOpsAddr)
	if err == nil {
		defer taken.Close()
	}
	l, err := listen(t.Context(), Config{Addr: "localhost:0", OpsAddr: DefaultOpsAddr}, log)
	if err != nil || l.ops == nil {
		t.Fatalf("at the default address: got %v, error %v; want another address", l.ops, err)
	}
	defer l.public.Close()
	defer l.ops.Close()
	if ip := l.ops.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		t.Errorf("at the default address: got %s, want a loopback address", ip)
	}
	_, err = listen(t.Context(), Config{Addr: "localhost:0", OpsAddr: l.ops.Addr().String()}, log)
	if err == nil || !strings.Contains(err.Error(), "the operator's address: listen on "+l.ops.Addr().String()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("at a chosen address that is in use: got error %v, want one line that names it", err)
	}
	without, err := listen(t.Context(), Config{Addr: "localhost:0"}, log)
	if err != nil || without.ops != nil {
		t.Fatalf("without an operator's address: got %v, error %v; want none", without.ops, err)
	}
	without.public.Close()
}
