package transport

import (
	"cmp"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Media types of responses. The first two are those of the GraphQL over HTTP
// specification, for one JSON document. The others are for streams.
const (
	mediaJSON      = "application/json"
	mediaGraphQL   = "application/graphql-response+json"
	mediaEvents    = "text/event-stream"
	mediaMultipart = "multipart/mixed"
)

// subscriptionSpec is the version of the multipart subscription protocol. A client
// must name it, because multipart/mixed alone means other protocols.
const subscriptionSpec = "1.0"

// maxRanges is how many media ranges of an Accept header are read.
const maxRanges = 64

// accepted is the media types that a request accepts, in order of preference.
type accepted []string

// acceptedBy parses a request's Accept header. The quality of a media type is that
// of the most specific range that includes it; 0 excludes it. Types of the same
// quality are in the order of the header. Without the header, or with wildcards
// only, a client gets JSON and never a stream.
//
// Libraries that parse the header refuse all of it for one malformed range, and let
// wildcards and multipart/mixed without parameters include the streams.
func acceptedBy(r *http.Request) accepted {
	header := strings.Join(r.Header.Values("Accept"), ",")
	switch strings.TrimSpace(header) {
	case "", "*/*":
		return accepted{mediaJSON, mediaGraphQL}
	case mediaJSON:
		return accepted{mediaJSON}
	}
	ranges := mediaRanges(header)
	type candidate struct {
		media string
		index int // of its range in the header
		q     float64
	}
	var candidates []candidate
	for _, media := range []string{mediaJSON, mediaGraphQL, mediaEvents, mediaMultipart} {
		if i := bestRange(ranges, media); i >= 0 && ranges[i].q > 0 {
			candidates = append(candidates, candidate{media, i, ranges[i].q})
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.q, a.q), cmp.Compare(a.index, b.index))
	})
	var a accepted
	for _, c := range candidates {
		a = append(a, c.media)
	}
	return a
}

// best returns the preferred one of some media types, or "" if none is accepted.
func (a accepted) best(among ...string) string {
	for _, media := range a {
		if slices.Contains(among, media) {
			return media
		}
	}
	return ""
}

// document returns the media type for a response that is one JSON document. A
// client that accepts mediaJSON but not mediaGraphQL predates the specification. It
// still gets mediaGraphQL for an error status, because by that type it can tell an
// error of this server from one of a proxy.
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

// mediaRange is one media range of an Accept header.
type mediaRange struct {
	media  string
	params map[string]string
	q      float64
}

// mediaRanges parses the ranges of a header. It skips malformed ones.
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

// splitList returns up to most elements of a header's list. A comma within quotes
// does not separate elements.
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

// bestRange returns the index of the most specific range that includes a media
// type, or -1 if none does.
func bestRange(ranges []mediaRange, media string) int {
	best, most := -1, 0
	for i, r := range ranges {
		if s := r.specificity(media); s > most {
			best, most = i, s
		}
	}
	return best
}

// specificity returns how specifically a range describes a media type, or 0 if it
// does not include it.
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
		return 0 // wildcards do not include streams
	case r.media == "application/*":
		return 2
	case r.media == "*/*":
		return 1
	default:
		return 0
	}
}

// isUTF8 reports whether a charset parameter, which may be absent, means UTF-8. Many
// clients leave out the hyphen.
func isUTF8(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
