package transport

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Origins are the sites whose pages may use the API besides the server's own.
// The zero value is none.
type Origins struct {
	any     bool
	entries []originPattern
}

// originPattern is an origin, or the two ends of one.
type originPattern struct {
	start, end string
	star       bool
}

// ParseOrigins reads origins such as https://app.example.com. They are kept in
// the form in which browsers send them: in lower case, an international name in
// its ASCII form, the port of the scheme left out. One star in an entry stands
// for any characters; "*" alone is every site. An error names the entry.
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
		start, end, star := strings.Cut(normal, "*")
		o.entries = append(o.entries, originPattern{start, end, star})
	}
	return o, nil
}

// checkOrigin reports what no browser's Origin header is ever like.
func checkOrigin(setting string) error {
	scheme, host, ok := strings.Cut(setting, "://")
	switch {
	case !ok || scheme == "" || host == "" || strings.ContainsAny(setting, " ?#@,\\"):
		return fmt.Errorf("%q is not an origin such as https://app.example.com", setting)
	case strings.Contains(host, "/"):
		site, _, _ := strings.Cut(host, "/")
		return fmt.Errorf("%q is not an origin: browsers name a site without a path or a slash at the end; write %s://%s", setting, scheme, site)
	case strings.Count(setting, "*") > 1:
		return fmt.Errorf("%q has more than one star", setting)
	}
	return nil
}

// None reports whether no other site may use the API.
func (o *Origins) None() bool { return !o.any && len(o.entries) == 0 }

// Any reports whether every site may.
func (o *Origins) Any() bool { return o.any }

// Allow reports whether pages of a site may use the API, by the value of an
// Origin header.
func (o *Origins) Allow(origin string) bool {
	if o.any {
		return true
	}
	normal, err := normalOrigin(origin)
	return err == nil && slices.ContainsFunc(o.entries, func(p originPattern) bool { return p.matches(normal) })
}

func (p originPattern) matches(origin string) bool {
	if !p.star {
		return origin == p.start
	}
	return len(origin) >= len(p.start)+len(p.end) && strings.HasPrefix(origin, p.start) && strings.HasSuffix(origin, p.end)
}

// Foreign returns the site of the page that a request comes from, if it is one
// that must not use the API: neither the server's own, which is that of the
// Host header, nor an allowed one. Others than browsers send no Origin.
func (o *Origins) Foreign(r *http.Request) (site string, foreign bool) {
	origin := r.Header.Get("Origin")
	return origin, origin != "" && !isOwn(origin, r.Host) && !o.Allow(origin)
}

// own reports whether an origin is that of the host a request is for. Whether
// one of the two names the port of the scheme makes no difference.
func isOwn(origin, host string) bool {
	scheme, _, _ := strings.Cut(origin, "://")
	a, err := normalOrigin(origin)
	if err != nil || host == "" {
		return false
	}
	b, err := normalOrigin(scheme + "://" + host)
	return err == nil && a == b
}

// normalOrigin is the form of an origin that browsers send.
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

// splitPort splits a host and its port, which may be missing. An IPv6 address
// stays in its brackets.
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

// asciiHost is a host's name in lower case, and in the ASCII form of
// international names. A star is left as it is.
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
