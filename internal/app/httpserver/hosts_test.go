package httpserver_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"chirp/graph/transport"
	"chirp/internal/apitest"
	"chirp/internal/app/httpserver"
)

func TestHostsThatAServerAnswersTo(t *testing.T) {
	const loopback, anywhere = "127.0.0.1:8080", "[::]:8080"
	for _, c := range []struct {
		name, addr string
		hosts      string // separated by spaces
		public     []string
		origins    []string
		want       bool
	}{
		{"loopback names", loopback, "localhost localhost:8080 LOCALHOST:5173 localhost. a.localhost:1 127.0.0.1 127.9.9.9:80 [::1] [::1]:8080 [::ffff:127.0.0.1]", nil, nil, true},
		{"other names at a loopback address", loopback, "evil.com evil.com:8080 127.0.0.1.evil.com localhost.evil.com evillocalhost server server.lan 10.0.0.1 [fe80::1] 0.0.0.0", nil, nil, false},
		{"what is no name", loopback, "localhost@evil.com localhost:80:80 localhost:x [::1 ::1 [::1]x localhost%2eevil.com %zz [localhost] localhost#", nil, nil, false},
		{"the loopback address of IPv6", "[::1]:8080", "localhost [::1]:8080", nil, nil, true},
		{"a stranger's name at it", "[::1]:8080", "evil.com", nil, nil, false},
		{"addresses and local names", anywhere, "192.0.2.7 192.0.2.7:8080 [2001:db8::7]:8080 [fe80::1%25eth0]:8080 server server.lan:8080 chirp.default.svc chirp.default.svc.cluster.local nas.home.arpa localhost", nil, nil, true},
		{"names of strangers", anywhere, "evil.com evil.com:8080 192.0.2.7.evil.com lan.evil.com evillan.com 1.2.3.4.5", nil, nil, false},
		{"at one of the machine's addresses", "192.0.2.7:8080", "192.0.2.7:8080 192.0.2.8 server", nil, nil, true},
		{"a stranger's name there", "192.0.2.7:8080", "evil.com", nil, nil, false},
		{"public names", loopback, "chirp.example.com Chirp.Example.com:443 xn--bcher-kva.example a.example.org 192.0.2.7:80 [2001:db8::7]:80", []string{"chirp.example.com", "Bücher.example", "*.example.org", "192.0.2.7", "2001:db8::7"}, nil, true},
		{"names that look like public ones", loopback, "chirp.example.com.evil.com evilchirp.example.com example.org 192.0.2.8", []string{"chirp.example.com", "*.example.org", "192.0.2.7"}, nil, false},
		{"any public name", loopback, "evil.com", []string{"*"}, nil, true},
		{"hosts of allowed origins", loopback, "app.example.com app.example.com:8443 a.example.org", nil, []string{"https://app.example.com", "https://*.example.org"}, true},
		{"other hosts", loopback, "evil.com evilapp.example.com", nil, []string{"https://app.example.com", "http://localhost:*"}, false},
		{"any origin", loopback, "evil.com", nil, []string{"*"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			mux, _ := muxAt(t, c.addr, c.public, c.origins, nil)
			for host := range strings.FieldsSeq(c.hosts) {
				got := ask(t, mux, host, "", "192.0.2.99:1")
				if got.Status == http.StatusMisdirectedRequest == c.want {
					t.Errorf("%s: got %d %q, want it answered: %t", host, got.Status, got.Message, c.want)
				}
			}
		})
	}
}

func TestRefusalsOfHostsSayWhatToDo(t *testing.T) {
	mux, log := muxAt(t, "127.0.0.1:8080", nil, nil, nil)
	for range 50 {
		got := ask(t, mux, "chirp.example.com:8080", "", "127.0.0.1:1")
		if got.Code != "BAD_USER_INPUT" || !strings.Contains(got.Message, "--public-host chirp.example.com") {
			t.Fatalf("got %s %q, want BAD_USER_INPUT and the setting", got.Code, got.Message)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "host=chirp.example.com:8080") {
		t.Errorf("got %d lines, want one that names the host:\n%s", n, log)
	}
	for _, probe := range []string{"/healthz", "/readyz"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, probe, nil)
		r.Host = ""
		mux.ServeHTTP(w, r)
		if w.Code == http.StatusMisdirectedRequest {
			t.Errorf("%s without a host: got %d, want an answer for load balancers", probe, w.Code)
		}
	}
	if got := ask(t, mux, "", "", "127.0.0.1:1"); got.Status != http.StatusMisdirectedRequest {
		t.Errorf("without a host: got %d, want 421", got.Status)
	}
}

func TestForwardedHostsAreBelievedOfProxiesOnly(t *testing.T) {
	for _, c := range []struct {
		name, host, forwarded, from string
		want                        bool
	}{
		{"passed on by the proxy", "localhost:8080", "chirp.example.com", "10.0.0.1:1", true},
		{"after what the client sent", "localhost:8080", "evil.com, chirp.example.com", "10.0.0.1:1", true},
		{"the proxy was called by another name", "localhost:8080", "evil.com", "10.0.0.1:1", false},
		{"the proxy was called by another name, and a public one was forged", "localhost:8080", "chirp.example.com, evil.com", "10.0.0.1:1", false},
		{"a page on the proxy's machine", "evil.com", "chirp.example.com", "10.0.0.1:1", false},
		{"not by a proxy", "evil.com", "chirp.example.com", "192.0.2.1:1", false},
		{"not by a proxy, under a right name", "localhost:8080", "evil.com", "192.0.2.1:1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			mux, _ := muxAt(t, "127.0.0.1:8080", []string{"chirp.example.com"}, nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
			if got := ask(t, mux, c.host, c.forwarded, c.from); got.Status == http.StatusMisdirectedRequest == c.want {
				t.Errorf("got %d %q, want it answered: %t", got.Status, got.Message, c.want)
			}
		})
	}
}

// TestAProxyThatIsNotTrustedIsNoticed has requests with X-Forwarded-For, which is what
// a proxy's requests have, come from different addresses.
func TestAProxyThatIsNotTrustedIsNoticed(t *testing.T) {
	for _, c := range []struct {
		from, forwarded string
		want            int // lines in the log
	}{
		{"127.0.0.1:1", "192.0.2.1", 1}, {"10.1.0.1:1", "192.0.2.1", 1}, {"[fd00::1]:1", "192.0.2.1", 1},
		{"10.0.0.1:1", "192.0.2.1", 0}, {"198.51.100.1:1", "192.0.2.1", 0}, {"127.0.0.1:1", "", 0},
	} {
		mux, log := muxAt(t, "127.0.0.1:8080", nil, nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")})
		for range 3 {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Host, r.RemoteAddr = "localhost", c.from
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			mux.ServeHTTP(httptest.NewRecorder(), r)
		}
		if got := strings.Count(log.String(), "--trusted-proxies"); got != c.want {
			t.Errorf("three requests from %s for %q: got %d warnings, want %d", c.from, c.forwarded, got, c.want)
		}
	}
}

// muxAt returns a mux for a server at an address, and its log.
func muxAt(t *testing.T, addr string, public, origins []string, proxies []netip.Prefix) (*httpserver.Mux, *apitest.Output) {
	t.Helper()
	log := &apitest.Output{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	sites := apitest.Must(transport.ParseOrigins(origins))(t)
	hosts := httpserver.Hosts{Public: apitest.Must(httpserver.ParsePublicHosts(public))(t), Origins: sites, Proxies: proxies}
	mux := httpserver.NewMux(logger, sites)
	mux.AnswerTo(hosts.At(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)), logger))
	return mux, log
}

// ask posts a request that calls the server by a name.
func ask(t *testing.T, mux http.Handler, host, forwarded, from string) apitest.Refusal {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(`{"query": "{ __typename }"}`))
	r.Host, r.RemoteAddr = host, from
	if forwarded != "" {
		r.Header.Set("X-Forwarded-Host", forwarded)
	}
	mux.ServeHTTP(w, r)
	return apitest.ReadRefusal(w.Code, w.Header(), w.Body.Bytes())
}
