package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

const (
	// refreshEvery is how often the keys are fetched regardless of tokens. A
	// revoked key stays valid for that long at most.
	refreshEvery = 5 * time.Minute
	// A token with an unknown key, which may be forged, causes a fetch. This is
	// how often that may happen, and how often in a row.
	askEvery = 5 * time.Second
	askBurst = 3

	fetchTimeout = 10 * time.Second // for one response of the issuer
	askTimeout   = 5 * time.Second  // for a token that waits for a fetch
	firstRetry   = time.Second
	lastRetry    = 30 * time.Second

	maxAnswer = 1 << 20 // bytes of one response of the issuer
	maxKeys   = 100
)

// keys caches an issuer's keys. The keys of the last successful fetch stay valid
// while the issuer is down.
type keys struct {
	issuer string
	client *http.Client
	log    *slog.Logger
	now    func() time.Time
	asking *rate.Limiter

	mu       sync.Mutex
	known    keySet
	failure  error         // of the last fetch
	fetching chan struct{} // closed when the current fetch ends, nil if there is none
}

var errTooOften = errors.New("the issuer was asked a moment ago")

func newKeys(cfg IssuerConfig) *keys {
	client := *cfg.Client
	client.Transport = limited{client.Transport}
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("it redirects too often")
		}
		return checkScheme(r.URL)
	}
	return &keys{
		issuer: cfg.URL, client: &client, log: cfg.Logger, now: cfg.Now,
		asking: rate.NewLimiter(rate.Every(askEvery), askBurst),
	}
}

// find returns the keys with an id, or all keys for the empty id. If there is none,
// it fetches the keys and looks again. If there is still none, the token is not
// valid. If the fetch fails, the error is of kind Unavailable.
func (k *keys) find(ctx context.Context, id string) (keySet, error) {
	if found := k.lookUp(id); len(found) > 0 {
		return found, nil
	}
	if err := k.ask(ctx); err != nil {
		k.log.Debug("an external token's key is not known", "issuer", k.issuer, "error", err)
		return nil, domain.Errorf(domain.Unavailable, "the key of the token's issuer is not known yet; try again in a few seconds")
	}
	if found := k.lookUp(id); len(found) > 0 {
		return found, nil
	}
	return nil, invalidExternalToken()
}

func (k *keys) lookUp(id string) keySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id == "" {
		return k.known
	}
	var found keySet
	for _, key := range k.known {
		if key.KeyID == id {
			found = append(found, key)
		}
	}
	return found
}

// ask fetches the keys for a token whose key is not known, unless that happened too
// often lately.
func (k *keys) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return k.fetch(ctx, func() bool { return k.asking.AllowN(k.now(), 1) })
}

// fetch fetches the keys, or waits for a fetch in progress. allowed reports whether
// a new fetch may start.
func (k *keys) fetch(ctx context.Context, allowed func() bool) error {
	k.mu.Lock()
	if k.fetching == nil {
		if !allowed() {
			k.mu.Unlock()
			return errTooOften
		}
		k.fetching = make(chan struct{})
		go k.update(k.fetching)
	}
	done := k.fetching
	k.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-done:
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failure
}

// update fetches the keys for all callers that wait for them. It has a context of
// its own, so that a caller that gives up does not fail the others.
func (k *keys) update(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*fetchTimeout)
	defer cancel()
	got, err := k.download(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failure, k.fetching = err, nil
	if err == nil {
		k.known = got
	}
	close(done)
}

// download discovers where the keys are, and returns those that can be used.
func (k *keys) download(ctx context.Context) (keySet, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), k.issuer)
	if err != nil {
		return nil, fmt.Errorf("discover the issuer: %w", err)
	}
	var place struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&place); err != nil {
		return nil, fmt.Errorf("discover the issuer: %w", err)
	}
	at, err := url.Parse(place.Keys)
	if err != nil {
		return nil, fmt.Errorf("the address of the issuer's keys: %w", err)
	}
	if err := checkScheme(at); err != nil {
		return nil, fmt.Errorf("the address of the issuer's keys: %w", err)
	}
	body, err := k.get(ctx, place.Keys)
	if err != nil {
		return nil, fmt.Errorf("fetch the issuer's keys: %w", err)
	}
	return parseKeys(body)
}

func (k *keys) get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := k.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the response is %s", response.Status)
	}
	return io.ReadAll(response.Body)
}

// parseKeys parses a JSON Web Key Set. It skips keys that are not for signatures or
// of an unknown kind.
func parseKeys(body []byte) (keySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("parse the issuer's keys: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the issuer has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	var usable keySet
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(raw, &key); err != nil || !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
			continue
		}
		usable = append(usable, key)
	}
	if len(usable) == 0 {
		return nil, errors.New("the issuer has no usable key")
	}
	return usable, nil
}

// run fetches the keys periodically until ctx ends.
func (k *keys) run(ctx context.Context) error {
	retry := firstRetry
	for first := true; ; {
		wait := refreshEvery
		err := k.fetch(ctx, func() bool { return true })
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			wait, retry = retry, min(2*retry, lastRetry)
			k.log.Warn("cannot fetch the keys of the OpenID Connect issuer; trying again", "issuer", k.issuer, "error", err, "wait", wait)
		case first:
			k.log.Info("fetched the keys of the OpenID Connect issuer", "issuer", k.issuer)
			first, retry = false, firstRetry
		default:
			retry = firstRetry
		}
		if !outage.Pause(ctx, wait) {
			return nil
		}
	}
}

// limited truncates responses that are too large for a key set.
type limited struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	next := l.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}
