package transport

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Origins are the sites other than the server's own whose pages may use the API. The
// zero value is none.
type Origins struct {
	any     bool
	entries []originPattern
	hosts   []originPattern // those of the entries, without scheme and port
}

// originPattern is an origin or a host, or its beginning and end around a star.
type originPattern struct {
	start, end string
	star       bool
}

func newOriginPattern(text string) originPattern {
	start, end, star := strings.Cut(text, "*")
	return originPattern{start, end, star}
}

// ParseOrigins parses origins such as https://app.example.com. They are converted to
// the form that browsers send: in lower case, with the ASCII form of international
// names, and without the default port. A star in an entry stands for any characters;
// there may be one. The entry "*" is every site. An error names the entry.
func ParseOrigins(settings []string) (*Origins, error) {
	o := &Origins{}
	for _, setting := range settings {
		setting = strings.TrimSpace(setting)
		if setting == "*" {
			o.any = true
			continue
		}
		if err := checkOrigin(setting); err != nil {
			return nil, err
		}
		normal, err := normalOrigin(setting)
		if err != nil {
			return nil, fmt.Errorf("%q is not an origin such as https://app.example.com: %w", setting, err)
		}
		_, authority, _ := strings.Cut(normal, "://")
		host, _ := splitPort(authority)
		o.entries, o.hosts = append(o.entries, newOriginPattern(normal)), append(o.hosts, newOriginPattern(host))
	}
	return o, nil
}

// checkOrigin returns an error for an entry that no browser would send.
func checkOrigin(setting string) error {
	scheme, host, ok := strings.Cut(setting, "://")
	switch {
	case !ok || scheme == "" || host == "" || strings.ContainsAny(setting, " ?#@,\\"):
		return fmt.Errorf("%q is not an origin such as https://app.example.com", setting)
	case strings.Contains(host, "/"):
		site, _, _ := strings.Cut(host, "/")
		return fmt.Errorf("%q is not an origin: browsers name a site without a path or a final slash; write %s://%s", setting, scheme, site)
	case strings.Count(setting, "*") > 1:
		return fmt.Errorf("%q has more than one star", setting)
	}
	return nil
}

// None reports whether no other site may use the API.
func (o *Origins) None() bool { return !o.any && len(o.entries) == 0 }

// Any reports whether every site may.
func (o *Origins) Any() bool { return o.any }

// Allow reports whether pages of a site may use the API, given the value of an
// Origin header.
func (o *Origins) Allow(origin string) bool {
	if o.any {
		return true
	}
	normal, err := normalOrigin(origin)
	return err == nil && slices.ContainsFunc(o.entries, func(p originPattern) bool { return p.matches(normal) })
}

// AllowsHost reports whether a host, in lower case and without a port, is that of one
// of the sites. A nil Origins has none.
func (o *Origins) AllowsHost(host string) bool {
	return o != nil && (o.any || slices.ContainsFunc(o.hosts, func(p originPattern) bool { return p.matches(host) }))
}

func (p originPattern) matches(origin string) bool {
	if !p.star {
		return origin == p.start
	}
	return len(origin) >= len(p.start)+len(p.end) && strings.HasPrefix(origin, p.start) && strings.HasSuffix(origin, p.end)
}

// Foreign returns the site of the page that a request comes from, and reports
// whether it must not use the API, because it is neither the server's own, by the
// header Host, nor an allowed one. Clients other than browsers send no Origin.
func (o *Origins) Foreign(r *http.Request) (site string, foreign bool) {
	origin := r.Header.Get("Origin")
	return origin, origin != "" && !isOwn(origin, r.Host) && !o.Allow(origin)
}

// isOwn reports whether an origin is that of a host. It ignores whether one of them
// includes the default port.
func isOwn(origin, host string) bool {
	scheme, _, _ := strings.Cut(origin, "://")
	a, err := normalOrigin(origin)
	if err != nil || host == "" {
		return false
	}
	b, err := normalOrigin(scheme + "://" + host)
	return err == nil && a == b
}

// normalOrigin returns an origin in the form that browsers send.
func normalOrigin(origin string) (string, error) {
	scheme, authority, ok := strings.Cut(origin, "://")
	if !ok || scheme == "" || authority == "" || strings.ContainsAny(authority, `/?#@\`) {
		return "", fmt.Errorf("%.80q has no scheme and host", origin)
	}
	scheme = strings.ToLower(scheme)
	host, port := splitPort(authority)
	host, err := asciiHost(host)
	if err != nil {
		return "", err
	}
	if port == "" || port == defaultPort(scheme) {
		return scheme + "://" + host, nil
	}
	return scheme + "://" + host + ":" + port, nil
}

// splitPort splits a host from its port, which may be missing. An IPv6 address keeps
// its brackets.
func splitPort(authority string) (host, port string) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return authority, ""
	}
	return authority[:i], authority[i+1:]
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	default:
		return ""
	}
}

// asciiHost returns a host in lower case, and in ASCII form if it is international.
// It leaves a star as it is.
func asciiHost(host string) (string, error) {
	if address, ok := strings.CutPrefix(host, "["); ok {
		ip := net.ParseIP(strings.TrimSuffix(address, "]"))
		if ip == nil {
			return "", fmt.Errorf("%.80q is not an IPv6 address", host)
		}
		return "[" + ip.String() + "]", nil
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))
	return profile.ToASCII(host)
}
