package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strings"

	"chirp/graph/transport"
	"chirp/internal/auth"
)

// Config is a command line. Every flag has an environment variable; the flag
// wins. The tag "for" names the commands that a flag is for, if it stands beside
// others.
type Config struct {
	// Command is the name of the command.
	Command string `kong:"-"`

	Addr               string  `env:"CHIRP_ADDR" default:"localhost:8080" placeholder:"HOST:PORT" help:"Listen address (default ${default}); port 0 takes a free one, and the log names it." for:"serve"`
	Data               string  `env:"CHIRP_DATA" default:"chirp-data" placeholder:"FOLDER" help:"Folder of the embedded store (default ${default})." for:"serve,rebuild,verify,export,import"`
	MongodbURI         string  `name:"mongodb-uri" env:"CHIRP_MONGODB_URI" placeholder:"URI" help:"Use this MongoDB, a replica set, in place of the embedded store." for:"serve,rebuild,verify,export,import"`
	MongodbDatabase    string  `name:"mongodb-database" env:"CHIRP_MONGODB_DATABASE" default:"chirp" placeholder:"NAME" help:"Database on that MongoDB (default ${default})." for:"serve,rebuild,verify,export,import"`
	CelebrityThreshold int64   `env:"CHIRP_CELEBRITY_THRESHOLD" default:"10000" placeholder:"N" help:"Followers from which a user is a celebrity (default ${default})." for:"serve,rebuild"`
	TokenSecret        string  `env:"CHIRP_TOKEN_SECRET" placeholder:"TEXT" help:"Signs the tokens issued here, at least 32 bytes (default: made once and kept in the store)." for:"serve"`
	RateLimit          float64 `env:"CHIRP_RATE_LIMIT" default:"20" placeholder:"N" help:"Mutations a second for each caller (default ${default}); 500 times as much is what all operations may cost; log-ins and registrations get a tenth of it for each address and four tenths for each account; 0 switches rate limits off." for:"serve"`
	Introspection      bool    `env:"CHIRP_INTROSPECTION" default:"true" negatable:"" help:"Allow schema introspection (default ${default})." for:"serve"`
	Demo               bool    `env:"CHIRP_DEMO" help:"Fill an empty store with a small network of made-up people, who go on posting while the server runs, or go on with the one that it is." for:"serve"`
	LogLevel           string  `env:"CHIRP_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"One of ${enum} (default ${default})." for:"serve,rebuild,verify,export,import"`
	LogFormat          string  `env:"CHIRP_LOG_FORMAT" default:"text" enum:"text,json" placeholder:"FORMAT" help:"One of ${enum} (default ${default})." for:"serve,rebuild,verify,export,import"`

	AllowedOrigins    []string `env:"CHIRP_ALLOWED_ORIGINS" placeholder:"ORIGIN" help:"Sites whose pages may use the API besides the server's own, such as https://app.example.com; a star stands for any characters. Can be repeated." for:"serve"`
	SocketsPerUser    int      `env:"CHIRP_SOCKETS_PER_USER" default:"20" placeholder:"N" help:"Sockets and streams of subscriptions that one user may keep open (default ${default}); 0 is no limit." for:"serve"`
	SocketsPerAddress int      `env:"CHIRP_SOCKETS_PER_ADDRESS" default:"500" placeholder:"N" help:"Those that one client address may keep open without a token (default ${default}); 0 is no limit." for:"serve"`
	TrustedProxies    []string `env:"CHIRP_TRUSTED_PROXIES" placeholder:"CIDR" help:"Networks of the proxies that the client's address is taken from, by X-Forwarded-For (default: none, the connection's address counts). Can be repeated." for:"serve"`
	OIDCIssuer        string   `name:"oidc-issuer" env:"CHIRP_OIDC_ISSUER" placeholder:"URL" help:"Take the tokens of this OpenID Connect issuer for good, too (default: only those issued here)." for:"serve"`
	OIDCAudience      string   `name:"oidc-audience" env:"CHIRP_OIDC_AUDIENCE" placeholder:"TEXT" help:"What the tokens of --oidc-issuer must have as their audience." for:"serve"`
	LocalPasswords    bool     `env:"CHIRP_LOCAL_PASSWORDS" default:"true" negatable:"" help:"Let users register and log in with passwords (default ${default})." for:"serve"`

	Limits limitFlags `embed:""`

	ShowVersion versionFlag `name:"version" help:"Print the version."`

	Serve   struct{}    `cmd:"" default:"1" help:"Serve the API. This is the default."`
	Rebuild struct{}    `cmd:"" help:"Make the views anew from the log, beside a running server, with the --celebrity-threshold given; then let them serve."`
	Verify  verifyFlags `cmd:"" help:"Compare the views with the log, beside a server that may be running, and check the log. Prints each difference; exit code 1 if there is any."`
	Export  exportFlags `cmd:"" help:"Write the log to a file that any store can be made from, beside a running server: what was appended until now."`
	Import  importFlags `cmd:"" help:"Fill a new store with an exported log, positions and all. Either all of it is there afterwards or nothing."`
	Version struct{}    `cmd:"" help:"Print the version."`
	Help    struct{}    `cmd:"" help:"Print this, or how a command is used: chirp help COMMAND."`
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
	if command == "help" { // behind flags
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
	if err := foreignFlag(parsed, cfg.Command); err != nil {
		return Config{}, err
	}
	return cfg, cfg.check()
}

func (c Config) check() error {
	switch {
	case c.CelebrityThreshold < 1:
		return fmt.Errorf("--celebrity-threshold: %d is less than 1", c.CelebrityThreshold)
	case c.TokenSecret != "" && len(c.TokenSecret) < 32:
		return fmt.Errorf("--token-secret: it has %d bytes, it must have at least 32", len(c.TokenSecret))
	case c.RateLimit < 0:
		return fmt.Errorf("--rate-limit: %g is less than 0", c.RateLimit)
	case c.SocketsPerUser < 0:
		return fmt.Errorf("--sockets-per-user: %d is less than 0", c.SocketsPerUser)
	case c.SocketsPerAddress < 0:
		return fmt.Errorf("--sockets-per-address: %d is less than 0", c.SocketsPerAddress)
	case c.MongodbDatabase == "" || strings.ContainsAny(c.MongodbDatabase, "/\\. \"$\x00"):
		return fmt.Errorf("--mongodb-database: %q is not a database name", c.MongodbDatabase)
	case c.Verify.Sample < 0:
		return fmt.Errorf("--sample: %d is less than 0; name how many users, at least 1, or 0 for all", c.Verify.Sample)
	case c.Demo && !c.LocalPasswords:
		return errors.New("--demo: its people log in with a password, and passwords are switched off")
	case c.Addr == "":
		return errors.New("--addr: it is empty; name a host and a port, such as localhost:8080")
	case c.Data == "":
		return errors.New("--data: the folder's name is empty")
	}
	if err := c.Limits.check(); err != nil {
		return err
	}
	if err := c.checkCallers(); err != nil {
		return err
	}
	_, err := c.origins()
	return err
}

// checkCallers looks at what says who is calling, and from where.
func (c Config) checkCallers() error {
	if c.OIDCIssuer != "" {
		if err := auth.CheckIssuerURL(c.OIDCIssuer); err != nil {
			return fmt.Errorf("--oidc-issuer: %w", err)
		}
	}
	switch {
	case c.OIDCIssuer != "" && c.OIDCAudience == "":
		return errors.New("--oidc-audience: it is empty; without it, tokens of the issuer for anything else would be good here")
	case c.OIDCIssuer == "" && c.OIDCAudience != "":
		return errors.New("--oidc-audience: there is no --oidc-issuer")
	case c.OIDCIssuer == "" && !c.LocalPasswords:
		return errors.New("--local-passwords: without passwords and without --oidc-issuer nobody could get in")
	}
	_, err := c.proxies()
	return err
}

// proxies are the networks of --trusted-proxies. A single address is one too.
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

// origins are those of --allowed-origins.
func (c Config) origins() (*transport.Origins, error) {
	origins, err := transport.ParseOrigins(c.AllowedOrigins)
	if err != nil {
		return nil, fmt.Errorf("--allowed-origins: %w", err)
	}
	return origins, nil
}

// limits are those of the transports that can be set.
func (c Config) limits() transport.Limits {
	limit := func(n int) int {
		if n == 0 {
			return math.MaxInt
		}
		return n
	}
	return transport.Limits{Body: c.Limits.MaxBody, SocketsPerUser: limit(c.SocketsPerUser), SocketsPerAddress: limit(c.SocketsPerAddress)}
}
