package transport

import (
	"cmp"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Media types of our answers. The first two are those of the GraphQL over HTTP
// specification, and are for one JSON document; the others are for responses as
// they come.
const (
	mediaJSON      = "application/json"
	mediaGraphQL   = "application/graphql-response+json"
	mediaEvents    = "text/event-stream"
	mediaMultipart = "multipart/mixed"
)

// subscriptionSpec is the version of the multipart subscription protocol. A
// client must name it: without it, multipart/mixed means other protocols.
const subscriptionSpec = "1.0"

// mostRanges bounds how many media ranges of a request are looked at.
const maxRanges = 64

// accepted is which of our media types a request takes, most wanted first.
type accepted []string

// acceptedBy reads a request's Accept header. The quality of a media type is
// that of the most specific range it is in; 0 excludes it. Of types equally
// wanted, the one that is named first comes first. Without the header, or by
// a wildcard, a client gets JSON, and never a response that stays open.
func acceptedBy(r *http.Request) accepted {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return accepted{mediaJSON, mediaGraphQL}
	}
	ranges := mediaRanges(header)
	type candidate struct {
		media string
		place int // of its range in the header
		q     float64
	}
	var candidates []candidate
	for _, media := range []string{mediaJSON, mediaGraphQL, mediaEvents, mediaMultipart} {
		if i := bestRange(ranges, media); i >= 0 && ranges[i].q > 0 {
			candidates = append(candidates, candidate{media, i, ranges[i].q})
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.q, a.q), cmp.Compare(a.place, b.place))
	})
	var a accepted
	for _, c := range candidates {
		a = append(a, c.media)
	}
	return a
}

// best gives the most wanted of some media types, empty if none is taken.
func (a accepted) best(among ...string) string {
	for _, media := range a {
		if slices.Contains(among, media) {
			return media
		}
	}
	return ""
}

// document returns the media type for an answer of a status that is one JSON
// document. A client that takes mediaJSON and not mediaGraphQL, one from before
// the specification, gets mediaJSON with data only: by the other type it can
// tell a refusal of this server from one of a proxy on the way.
func (a accepted) document(status int) string {
	media := a.best(mediaJSON, mediaGraphQL)
	switch {
	case media == "":
		return mediaJSON
	case status >= http.StatusMultipleChoices && !slices.Contains(a, mediaGraphQL):
		return mediaGraphQL
	default:
		return media
	}
}

// mediaRange is one of the ranges that an Accept header names.
type mediaRange struct {
	media  string
	params map[string]string
	q      float64
}

// mediaRanges gives the ranges of a header; one that is malformed is as good as
// not there.
func mediaRanges(header string) []mediaRange {
	var ranges []mediaRange
	for part := range splitList(header, maxRanges) {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
				continue
			}
		}
		ranges = append(ranges, mediaRange{media, params, q})
	}
	return ranges
}

// splitList gives at most so many elements of a header's list. A comma between
// quotes does not separate.
func splitList(header string, most int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, quoted, count := 0, false, 0
		for i := 0; i <= len(header); i++ {
			switch {
			case i < len(header) && header[i] == '"':
				quoted = !quoted
			case i < len(header) && header[i] == '\\' && quoted:
				i++
			case i >= len(header) || header[i] == ',' && !quoted:
				if count++; count > most || !yield(header[start:min(i, len(header))]) {
					return
				}
				start = i + 1
			}
		}
	}
}

// bestRange gives the index of the most specific range that a media type is in,
// -1 if there is none.
func bestRange(ranges []mediaRange, media string) int {
	best, most := -1, 0
	for i, r := range ranges {
		if s := r.specificity(media); s > most {
			best, most = i, s
		}
	}
	return best
}

// specificity is 0 for a range that a media type is not in, and the larger the
// closer the range describes it.
func (r mediaRange) specificity(media string) int {
	charset := r.params["charset"]
	if !isUTF8(charset) {
		return 0
	}
	switch {
	case media == mediaMultipart && r.params["subscriptionspec"] != subscriptionSpec:
		return 0
	case r.media == media && charset != "":
		return 4
	case r.media == media:
		return 3
	case media == mediaEvents || media == mediaMultipart:
		return 0 // only by name
	case r.media == "application/*":
		return 2
	case r.media == "*/*":
		return 1
	default:
		return 0
	}
}

// isUTF8 reports whether a charset parameter means UTF-8, as none does. Many
// clients leave out the hyphen.
func isUTF8(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
