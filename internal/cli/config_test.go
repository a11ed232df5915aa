package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestParseRefusesInOneLine(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		env  map[string]string
		says string
	}{
		{"an unknown flag", []string{"--colour"}, nil, "unknown flag --colour"},
		{"an unknown command", []string{"dance"}, nil, "dance"},
		{"a flag without its value", []string{"--addr"}, nil, "--addr"},
		{"a threshold that is no number", []string{"--celebrity-threshold", "many"}, nil, "--celebrity-threshold"},
		{"a threshold that is a fraction", []string{"--celebrity-threshold", "1.5"}, nil, "--celebrity-threshold"},
		{"a threshold of 0", []string{"--celebrity-threshold", "0"}, nil, "0 is less than 1"},
		{"a threshold beyond 64 bits", []string{"--celebrity-threshold", "9223372036854775808"}, nil, "--celebrity-threshold"},
		{"a threshold that is no number, by variable", nil, map[string]string{"CHIRP_CELEBRITY_THRESHOLD": "many"}, "CHIRP_CELEBRITY_THRESHOLD"},
		{"a threshold of -1, by variable", nil, map[string]string{"CHIRP_CELEBRITY_THRESHOLD": "-1"}, "-1 is less than 1"},
		{"a secret of 31 bytes", []string{"--token-secret", strings.Repeat("s", 31)}, nil, "it has 31 bytes"},
		{"a secret of 5 bytes, by variable", nil, map[string]string{"CHIRP_TOKEN_SECRET": "short"}, "it has 5 bytes"},
		{"a rate limit below 0", []string{"--rate-limit=-1"}, nil, "-1 is less than 0"},
		{"a rate limit that is not a number", []string{"--rate-limit", "NaN"}, nil, "--rate-limit: NaN is less than 0"},
		{"a rate limit that is no number", []string{"--rate-limit", "off"}, nil, "--rate-limit"},
		{"registrations below 0", []string{"--registrations-per-address=-1"}, nil, "--registrations-per-address: -1 is less than 0"},
		{"sockets below 0", []string{"--sockets-per-user=-1"}, nil, "--sockets-per-user: -1 is less than 0"},
		{"a cache below 0", []string{"--cache-size=-1"}, nil, "--cache-size: -1 is less than 0"},
		{"subscriptions below 0", []string{"--max-subscriptions=-1"}, nil, "--max-subscriptions: -1 is less than 0"},
		{"sockets of an address below 0", nil, map[string]string{"CHIRP_SOCKETS_PER_ADDRESS": "-1"}, "--sockets-per-address: -1 is less than 0"},
		{"an origin without a scheme", []string{"--allowed-origins", "https://a.example,b.example"}, nil, `"b.example" is not an origin`},
		{"an origin with a path", nil, map[string]string{"CHIRP_ALLOWED_ORIGINS": "https://a.example/"}, `"https://a.example/" is not an origin`},
		{"introspection that is neither", nil, map[string]string{"CHIRP_INTROSPECTION": "maybe"}, "CHIRP_INTROSPECTION"},
		{"a log level that is none", []string{"--log-level", "loud"}, nil, "--log-level"},
		{"a log format that is none", nil, map[string]string{"CHIRP_LOG_FORMAT": "xml"}, "--log-format"},
		{"a database name with a slash", []string{"--mongodb-database", "a/b"}, nil, `"a/b" is not a database name`},
		{"an issuer without an audience", []string{"--oidc-issuer", "https://login.example.com"}, nil, "--oidc-audience: it is empty"},
		{"an audience without an issuer", nil, map[string]string{"CHIRP_OIDC_AUDIENCE": "chirp"}, "there is no --oidc-issuer"},
		{"an issuer in the clear", []string{"--oidc-issuer", "http://login.example.com", "--oidc-audience", "chirp"}, nil, "must be https"},
		{"an issuer that is no URL", []string{"--oidc-issuer", "login", "--oidc-audience", "chirp"}, nil, `"login" is not a URL`},
		{"no way to get in", []string{"--local-passwords=false"}, nil, "nobody could log in"},
		{"a proxy that is a name", []string{"--trusted-proxies", "10.0.0.0/8,proxy.local"}, nil, `"proxy.local" is not a network`},
		{"a proxy with too long a prefix", nil, map[string]string{"CHIRP_TRUSTED_PROXIES": "10.0.0.0/33"}, "is not a network"},
		{"an origin without a scheme", []string{"--allowed-origins", "app.example.com"}, nil, "is not an origin"},
		{"an origin with a path", nil, map[string]string{"CHIRP_ALLOWED_ORIGINS": "https://app.example.com/"}, "is not an origin"},
		{"a public host with a scheme", []string{"--public-host", "https://chirp.example.com"}, nil, "without scheme and port"},
		{"a public host with a port", nil, map[string]string{"CHIRP_PUBLIC_HOST": "a.example,b.example:8080"}, `"b.example:8080" is not a name`},
		{"connections below 0", []string{"--max-connections=-1"}, nil, "--max-connections: -1 is less than 0"},
		{"connections of an address below 0", nil, map[string]string{"CHIRP_CONNECTIONS_PER_ADDRESS": "-1"}, "--connections-per-address: -1 is less than 0"},
		{"a timeout of 0", []string{"--header-timeout", "0s"}, nil, "--header-timeout: 0s is not more than 0"},
		{"a timeout without a unit", nil, map[string]string{"CHIRP_IDLE_TIMEOUT": "120"}, "CHIRP_IDLE_TIMEOUT"},
		{"an empty address", nil, map[string]string{"CHIRP_ADDR": ""}, "--addr: it is empty"},
		{"an empty folder", []string{"--data="}, nil, "the folder's name is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			var out bytes.Buffer
			_, err := Parse(c.args, &out)
			if err == nil || errors.Is(err, ErrHelp) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") || out.Len() > 0 {
				t.Errorf("got error %v and output %q, want one line with %q", err, &out, c.says)
			}
		})
	}
}

func TestParseTakesFlagsBeforeVariables(t *testing.T) {
	t.Setenv("CHIRP_ADDR", "localhost:1")
	t.Setenv("CHIRP_DATA", "from-variable")
	t.Setenv("CHIRP_INTROSPECTION", "false")
	got, err := Parse([]string{"serve", "--addr", "localhost:2"}, nil)
	if err != nil || got.Addr != "localhost:2" || got.Data != "from-variable" || got.Introspection || got.CelebrityThreshold != 10_000 || got.Command != "serve" {
		t.Errorf("got %+v, error %v; want the flag's address, the variable's folder and no introspection, and the default threshold", got, err)
	}
	if got, err := Parse(nil, nil); err != nil || got.Command != "serve" {
		t.Errorf("without arguments: got command %q, error %v; want serve", got.Command, err)
	}
	origins := []string{"--allowed-origins", "https://a.example,https://b.example", "--allowed-origins", "*"}
	if got, err := Parse(origins, nil); err != nil || !slices.Equal(got.AllowedOrigins, []string{"https://a.example", "https://b.example", "*"}) {
		t.Errorf("with %q: got %q, error %v; want three origins", origins, got.AllowedOrigins, err)
	}
	if got, err := Parse([]string{"--sockets-per-user", "0"}, nil); err != nil || got.transportLimits().SocketsPerUser != math.MaxInt || got.transportLimits().SocketsPerAddress != 500 {
		t.Errorf("with --sockets-per-user 0: got limits %+v, error %v; want none for users, 500 for addresses", got.transportLimits(), err)
	}
	if got, err := Parse([]string{"--max-subscriptions", "0"}, nil); err != nil || got.transportLimits().Subscriptions != math.MaxInt || got.transportLimits().SubscriptionsPerAddress != 2500 {
		t.Errorf("with --max-subscriptions 0: got limits %+v, error %v; want none in all, 2,500 for addresses", got.transportLimits(), err)
	}
	if got, err := Parse([]string{"--no-introspection"}, nil); err != nil || got.Introspection {
		t.Errorf("with --no-introspection: got %t, error %v", got.Introspection, err)
	}
}

func TestParseReadsLists(t *testing.T) {
	t.Setenv("CHIRP_ALLOWED_ORIGINS", "https://app.example.com,https://*.example.org")
	got, err := Parse([]string{"--trusted-proxies", "10.1.2.3/8", "--trusted-proxies", "192.0.2.1,fd00::/8"}, nil)
	if err != nil || strings.Join(got.AllowedOrigins, " ") != "https://app.example.com https://*.example.org" || !got.LocalPasswords {
		t.Errorf("got %+v, error %v; want both origins, and passwords on", got, err)
	}
	if networks, err := got.proxies(); err != nil || fmt.Sprint(networks) != "[10.0.0.0/8 192.0.2.1/32 fd00::/8]" {
		t.Errorf("got the proxies %v, error %v; want three networks", networks, err)
	}
	if got, err := Parse(nil, nil); err != nil || len(got.TrustedProxies) > 0 {
		t.Errorf("by default: got the proxies %v, error %v; want none", got.TrustedProxies, err)
	}
	got, err = Parse([]string{"--no-local-passwords", "--oidc-issuer", "https://login.example.com", "--oidc-audience", "chirp"}, nil)
	if err != nil || got.LocalPasswords {
		t.Errorf("with --no-local-passwords: got %t, error %v", got.LocalPasswords, err)
	}
}

func TestParsePrintsHelpWithEveryVariable(t *testing.T) {
	var out bytes.Buffer
	if _, err := Parse([]string{"--help"}, &out); !errors.Is(err, ErrHelp) {
		t.Errorf("got error %v, want ErrHelp", err)
	}
	for _, want := range []string{
		"CHIRP_ADDR", "CHIRP_DATA", "CHIRP_MONGODB_URI", "CHIRP_MONGODB_DATABASE", "CHIRP_CELEBRITY_THRESHOLD", "CHIRP_TOKEN_SECRET",
		"CHIRP_ALLOWED_ORIGINS", "CHIRP_REGISTRATIONS_PER_ADDRESS", "CHIRP_SOCKETS_PER_USER", "CHIRP_SOCKETS_PER_ADDRESS",
		"CHIRP_RATE_LIMIT", "CHIRP_OIDC_ISSUER", "CHIRP_OIDC_AUDIENCE", "CHIRP_LOCAL_PASSWORDS", "CHIRP_TRUSTED_PROXIES", "CHIRP_ALLOWED_ORIGINS", "CHIRP_INTROSPECTION", "CHIRP_LOG_LEVEL", "CHIRP_LOG_FORMAT", "localhost:8080", "chirp-data", "10000",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help does not mention %s", want)
		}
	}
}

func TestDemoIsRefusedWhereItCannotBe(t *testing.T) {
	for name, args := range map[string][]string{
		"not with another command":   {"rebuild", "--demo"},
		"not for others":             {"--demo", "--addr", ":8080"},
		"not for others, by address": {"--demo", "--addr", "192.0.2.1:8080"},
		"not for others, by name":    {"--demo", "--addr", "server.lan:8080"},
		"not under a public name":    {"--demo", "--public-host", "chirp.example.com"},
		"not behind a proxy":         {"--demo", "--trusted-proxies", "127.0.0.1"},
		"only with it":               {"--demo-public"},
		"not without passwords":      {"--demo", "--local-passwords=false", "--oidc-issuer", "https://id.example.com", "--oidc-audience", "chirp"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(args, io.Discard); err == nil || !strings.Contains(err.Error(), "--demo") {
				t.Errorf("got error %v, want --demo refused", err)
			}
		})
	}
	for _, args := range [][]string{{"--demo"}, {"--demo", "--addr", "127.0.0.9:0"}, {"--demo", "--addr", "[::1]:8080"}, {"--demo", "--demo-public", "--addr", ":8080"}} {
		if _, err := Parse(args, io.Discard); err != nil {
			t.Errorf("%q: got error %v, want none", args, err)
		}
	}
}
