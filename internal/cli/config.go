package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"

	"chirp/graph/transport"
	"chirp/internal/app/httpserver"
	"chirp/internal/auth"
)

// Config is a parsed command line. Every flag has an environment variable, which
// the flag overrides. The tag "for" names the commands that a flag belongs to,
// if the flag is not a command's own.
type Config struct {
	// Command is the name of the command.
	Command string `kong:"-"`

	Addr               string  `env:"CHIRP_ADDR" default:"localhost:8080" placeholder:"HOST:PORT" help:"Listen address (default ${default}); port 0 picks a free port, which the log names." for:"serve"`
	OpsAddr            string  `env:"CHIRP_OPS_ADDR" default:"localhost:8081" placeholder:"HOST:PORT" help:"Address for the operator: metrics, profiles, and why the server is not ready (default ${default}, or a free port while that is in use). \"off\" means none." for:"serve"`
	Data               string  `env:"CHIRP_DATA" default:"chirp-data" placeholder:"FOLDER" help:"Folder of the embedded store (default ${default})." for:"serve,rebuild,verify,export,import,user"`
	MongodbURI         string  `name:"mongodb-uri" env:"CHIRP_MONGODB_URI" placeholder:"URI" help:"Use this MongoDB replica set instead of the embedded store." for:"serve,rebuild,verify,export,import,user"`
	MongodbDatabase    string  `name:"mongodb-database" env:"CHIRP_MONGODB_DATABASE" default:"chirp" placeholder:"NAME" help:"Database of that MongoDB (default ${default})." for:"serve,rebuild,verify,export,import,user"`
	CelebrityThreshold int64   `env:"CHIRP_CELEBRITY_THRESHOLD" default:"10000" placeholder:"N" help:"Number of followers from which a user is a celebrity, whose chirps are merged into feeds when they are read (default ${default})." for:"serve,rebuild"`
	TokenSecret        string  `env:"CHIRP_TOKEN_SECRET" placeholder:"TEXT" help:"Key that signs Chirp's own tokens, at least 32 bytes (default: generated and kept in the store)." for:"serve"`
	RateLimit          float64 `env:"CHIRP_RATE_LIMIT" default:"20" placeholder:"N" help:"Mutations per second and caller, 500 times that in operation cost and 100 times that in timeline entries changed (default ${default}), and four times that for each address. Registrations are limited to a tenth per address. 0 means no limit, not of wrong passwords either." for:"serve"`
	Introspection      bool    `env:"CHIRP_INTROSPECTION" default:"true" negatable:"" help:"Allow schema introspection, and serve GraphiQL (default ${default})." for:"serve"`
	DemoPublic         bool    `env:"CHIRP_DEMO_PUBLIC" help:"Let --demo serve at an address that others reach, although everybody knows the password of its people." for:"serve"`
	Demo               bool    `env:"CHIRP_DEMO" help:"Fill an empty store with made-up people who keep posting, or continue in a store filled that way." for:"serve"`
	LogLevel           string  `env:"CHIRP_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least severe level that is logged, one of ${enum} (default ${default})." for:"serve,rebuild,verify,export,import,user"`
	LogFormat          string  `env:"CHIRP_LOG_FORMAT" default:"text" enum:"text,json" placeholder:"FORMAT" help:"Format of the log, one of ${enum} (default ${default})." for:"serve,rebuild,verify,export,import,user"`
	CacheSize          int     `env:"CHIRP_CACHE_SIZE" default:"64" placeholder:"MB" help:"Megabytes of memory for what was read from the views (default ${default})." for:"serve"`

	RegistrationsPerAddress int      `env:"CHIRP_REGISTRATIONS_PER_ADDRESS" default:"300" placeholder:"N" help:"Accounts that may be made from one address in a day (default ${default}); 0 means no limit, as does no rate limit." for:"serve"`
	PublicHosts             []string `name:"public-host" env:"CHIRP_PUBLIC_HOST" placeholder:"NAME" help:"Name by which clients call the server, such as chirp.example.com; * matches any characters. Names of this machine and of local networks need not be given. Can be repeated." for:"serve"`
	AllowedOrigins          []string `env:"CHIRP_ALLOWED_ORIGINS" placeholder:"ORIGIN" help:"Origins, besides the server's own, whose pages may use the API, such as https://app.example.com; * matches any characters. Can be repeated." for:"serve"`
	SocketsPerUser          int      `env:"CHIRP_SOCKETS_PER_USER" default:"150" placeholder:"N" help:"Sockets and event streams that one user may keep open (default ${default}); 0 means no limit." for:"serve"`
	SocketsPerAddress       int      `env:"CHIRP_SOCKETS_PER_ADDRESS" default:"500" placeholder:"N" help:"Sockets and event streams that one address may keep open without a token (default ${default}); 0 means no limit." for:"serve"`
	SubscriptionsPerUser    int      `env:"CHIRP_SUBSCRIPTIONS_PER_USER" default:"250" placeholder:"N" help:"Subscriptions that one user may have running (default ${default}); 0 means no limit." for:"serve"`
	SubscriptionsPerAddress int      `env:"CHIRP_SUBSCRIPTIONS_PER_ADDRESS" default:"2500" placeholder:"N" help:"Subscriptions that may run from one address, with and without a token (default ${default}); 0 means no limit." for:"serve"`
	MaxSubscriptions        int      `env:"CHIRP_MAX_SUBSCRIPTIONS" default:"15000" placeholder:"N" help:"Subscriptions that may run in all; each takes up to 26 kB of memory (default ${default}); 0 means no limit." for:"serve"`
	TrustedProxies          []string `env:"CHIRP_TRUSTED_PROXIES" placeholder:"CIDR" help:"Networks of reverse proxies, such as 10.0.0.0/8, whose X-Forwarded-For and X-Forwarded-Host are trusted (default: none). Can be repeated." for:"serve"`
	OIDCIssuer              string   `name:"oidc-issuer" env:"CHIRP_OIDC_ISSUER" placeholder:"URL" help:"Also accept tokens from this OpenID Connect issuer." for:"serve"`
	OIDCAudience            string   `name:"oidc-audience" env:"CHIRP_OIDC_AUDIENCE" placeholder:"TEXT" help:"Audience that tokens from --oidc-issuer must have." for:"serve"`
	LocalPasswords          bool     `env:"CHIRP_LOCAL_PASSWORDS" default:"true" negatable:"" help:"Allow registration and log-in with passwords (default ${default})." for:"serve"`

	Limits      limitFlags      `embed:""`
	Connections connectionFlags `embed:""`

	ShowVersion versionFlag `name:"version" help:"Print the version."`

	Serve   struct{}    `cmd:"" default:"1" help:"Serve the API. This is the default."`
	Rebuild struct{}    `cmd:"" help:"Rebuild the views from the log with the given --celebrity-threshold, then let them serve. A server may be running."`
	Verify  verifyFlags `cmd:"" help:"Compare the views with the log, and check the log. Prints each difference, and exits with code 1 if there is any. A server may be running."`
	Export  exportFlags `cmd:"" help:"Write the log, as it is now, to a file from which any store can be filled. A server may be running."`
	Import  importFlags `cmd:"" help:"Fill a new store with an exported log, positions included. Imports all of it or nothing."`
	User    userFlags   `cmd:"" help:"Close an account for log-in, or open it again. A server may be running."`
	Version struct{}    `cmd:"" help:"Print the version."`
	Help    struct{}    `cmd:"" help:"Print this help, or that of a command: chirp help COMMAND."`
}

// ErrHelp means that help, or the version, was asked for and printed.
var ErrHelp = errors.New("help was printed")

// Parse reads a command line and the environment. It prints help to out. An
// error is one line.
func Parse(args []string, out io.Writer) (Config, error) {
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	var cfg Config
	line, err := newCommandLine(&cfg, out)
	if err != nil {
		return Config{}, err
	}
	args = joinNegatives(args)
	command := commandOf(args)
	if command == "help" { // after flags
		args = []string{"--help"}
	}
	line.ignoreVariables(command)
	parsed, err := line.parser.Parse(args)
	if line.helped {
		return Config{}, ErrHelp
	}
	if err != nil {
		return Config{}, err
	}
	cfg.Command, _, _ = strings.Cut(parsed.Command(), " ")
	if err := checkFlags(parsed, cfg.Command); err != nil {
		return Config{}, err
	}
	return cfg, cfg.check()
}

// atLeast returns an error if a flag's value is less than it may be.
func atLeast[T cmp.Ordered](flag string, value, least T) error {
	if value >= least {
		return nil
	}
	return fmt.Errorf("%s: %v is less than %v", flag, value, least)
}

// check refuses values that no command could work with.
func (c Config) check() error {
	if err := cmp.Or(
		atLeast("--celebrity-threshold", c.CelebrityThreshold, 1), atLeast("--rate-limit", c.RateLimit, 0),
		atLeast("--cache-size", c.CacheSize, 0), atLeast("--registrations-per-address", c.RegistrationsPerAddress, 0),
		atLeast("--sockets-per-user", c.SocketsPerUser, 0), atLeast("--sockets-per-address", c.SocketsPerAddress, 0),
		atLeast("--subscriptions-per-user", c.SubscriptionsPerUser, 0), atLeast("--subscriptions-per-address", c.SubscriptionsPerAddress, 0),
		atLeast("--max-subscriptions", c.MaxSubscriptions, 0),
	); err != nil {
		return err
	}
	switch {
	case c.TokenSecret != "" && len(c.TokenSecret) < 32:
		return fmt.Errorf("--token-secret: it has %d bytes, it must have at least 32", len(c.TokenSecret))
	case c.MongodbDatabase == "" || strings.ContainsAny(c.MongodbDatabase, "/\\. \"$\x00"):
		return fmt.Errorf("--mongodb-database: %q is not a database name", c.MongodbDatabase)
	case c.Verify.Sample < 0:
		return fmt.Errorf("--sample: %d is less than 0; give a number of users, or 0 for all", c.Verify.Sample)
	case c.Demo && !c.LocalPasswords:
		return errors.New("--demo: its people log in with a password, and passwords are off")
	case c.Demo && !c.DemoPublic && !isLoopback(c.Addr):
		return fmt.Errorf("--demo: others may reach %s, and everybody knows the password of the demo's people; use a loopback address such as localhost:8080, or add --demo-public", c.Addr)
	case c.Demo && !c.DemoPublic && len(c.PublicHosts)+len(c.TrustedProxies) > 0:
		return errors.New("--demo: with --public-host or --trusted-proxies others may reach it through a proxy, and everybody knows the password of the demo's people; leave them out, or add --demo-public")
	case c.DemoPublic && !c.Demo:
		return errors.New("--demo-public: there is no --demo")
	case c.Addr == "":
		return errors.New("--addr: it is empty; give a host and a port, such as localhost:8080")
	case c.Data == "":
		return errors.New("--data: the folder's name is empty")
	}
	_, hosts := c.publicHosts()
	_, origins := c.origins()
	return cmp.Or(c.Limits.check(), c.Connections.check(), c.Import.contradiction(), c.checkCallers(), hosts, origins)
}

// checkCallers checks the settings that say who a caller is.
func (c Config) checkCallers() error {
	if c.OIDCIssuer != "" {
		if err := auth.CheckIssuerURL(c.OIDCIssuer); err != nil {
			return fmt.Errorf("--oidc-issuer: %w", err)
		}
	}
	switch {
	case c.OIDCIssuer != "" && c.OIDCAudience == "":
		return errors.New("--oidc-audience: it is empty; without it, tokens that the issuer made for other services would be accepted")
	case c.OIDCIssuer == "" && c.OIDCAudience != "":
		return errors.New("--oidc-audience: there is no --oidc-issuer")
	case c.OIDCIssuer == "" && !c.LocalPasswords:
		return errors.New("--local-passwords: without passwords and without --oidc-issuer nobody could log in")
	}
	_, err := c.proxies()
	return err
}

// proxies returns the networks of --trusted-proxies. A single address is a
// network of one.
func (c Config) proxies() ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range c.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); err != nil && single == nil {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies: %q is not a network such as 10.0.0.0/8", text)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// isLoopback reports whether only this machine reaches a listen address.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return true // nobody can listen on it
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// publicHosts returns those of --public-host.
func (c Config) publicHosts() (*transport.Origins, error) {
	hosts, err := httpserver.ParsePublicHosts(c.PublicHosts)
	if err != nil {
		return nil, fmt.Errorf("--public-host: %w", err)
	}
	return hosts, nil
}

// origins returns those of --allowed-origins.
func (c Config) origins() (*transport.Origins, error) {
	origins, err := transport.ParseOrigins(c.AllowedOrigins)
	if err != nil {
		return nil, fmt.Errorf("--allowed-origins: %w", err)
	}
	return origins, nil
}

// rowBytes and pageBytes divide --cache-size between the rows that were read and, in the
// embedded store, the pages of the files that have them.
func (c Config) rowBytes() int64 { return int64(c.CacheSize)<<20 - c.pageBytes() }

func (c Config) pageBytes() int64 { return int64(c.CacheSize) << 20 / 4 }

// opsAddr returns the operator's address, empty for none.
func (c Config) opsAddr() string {
	if c.OpsAddr == "off" {
		return ""
	}
	return c.OpsAddr
}

// transportLimits returns the limits of the transports that flags set.
func (c Config) transportLimits() transport.Limits {
	limit := func(n int) int {
		if n == 0 {
			return math.MaxInt
		}
		return n
	}
	return transport.Limits{
		Body: c.Limits.MaxBody, SocketsPerUser: limit(c.SocketsPerUser), SocketsPerAddress: limit(c.SocketsPerAddress),
		SubscriptionsPerUser: limit(c.SubscriptionsPerUser), SubscriptionsPerAddress: limit(c.SubscriptionsPerAddress),
		Subscriptions: limit(c.MaxSubscriptions),
	}
}
