package domain_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"chirp/internal/domain"
)

// chirpPostedV3 is what chirp.posted might become: first the language was
// added, then the content became a list of parts.
type chirpPostedV3 struct {
	domain.Event `json:"-"` // nil: only what the domain declares can be an event

	ChirpID  domain.ChirpID   `json:"chirpId"`
	AuthorID domain.UserID    `json:"authorId"`
	Language string           `json:"language"`
	Parts    []domain.Content `json:"parts"`
}

func (chirpPostedV3) WireName() string { return "chirp.posted.v3" }

// later is the decoder of a program in which chirp.posted is at version 3 and
// everything else is as it is.
func later() domain.Decoder {
	return domain.Decoder{
		Upcasts: map[string]domain.Upcast{
			"chirp.posted.v1": {To: "chirp.posted.v2", Data: change(func(fields map[string]json.RawMessage) {
				fields["language"] = json.RawMessage(`"und"`)
			})},
			"chirp.posted.v2": {To: "chirp.posted.v3", Data: change(func(fields map[string]json.RawMessage) {
				fields["parts"] = json.RawMessage("[" + string(fields["content"]) + "]")
				delete(fields, "content")
			})},
		},
		Current: func(wireName string, data []byte) (domain.Event, error) {
			switch wireName {
			case "chirp.posted.v3":
				var e chirpPostedV3
				err := json.Unmarshal(data, &e)
				return e, err
			case "chirp.posted.v1", "chirp.posted.v2":
				return nil, &domain.UnknownEventError{WireName: wireName}
			default:
				return domain.DecodeEvent(wireName, data)
			}
		},
	}
}

// change returns an upcast that changes the fields of an object.
func change(fields func(map[string]json.RawMessage)) func(json.RawMessage) (json.RawMessage, error) {
	return func(data json.RawMessage) (json.RawMessage, error) {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(data, &object); err != nil {
			return nil, err
		}
		fields(object)
		return json.Marshal(object)
	}
}

func TestDecoderUpcastsOldEvents(t *testing.T) {
	v1, err := os.ReadFile(filepath.Join("testdata", "chirp.posted.v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	event, err := later().Decode("chirp.posted.v1", v1)
	if err != nil {
		t.Fatal(err)
	}
	want := chirpPostedV3{ChirpID: posted.ChirpID, AuthorID: posted.AuthorID, Language: "und", Parts: []domain.Content{posted.Content}}
	if !reflect.DeepEqual(event, want) {
		t.Errorf("Decode of version 1: got %#v, want %#v", event, want)
	}
	name, data, err := domain.EncodeEvent(event)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "upcast", "chirp.posted.v1-as-v3.json")
	if *update {
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(data) + "\n"; name != "chirp.posted.v3" || got != string(golden) {
		t.Errorf("version 1 upcast: got %s %s, want chirp.posted.v3 %s", name, got, golden)
	}
	for version, wire := range map[string]string{
		"chirp.posted.v2": `{"chirpId":"c","authorId":"a","language":"en","content":"hi"}`,
		"chirp.posted.v3": `{"chirpId":"c","authorId":"a","language":"en","parts":["hi"]}`,
	} {
		got, err := later().Decode(version, []byte(wire))
		if want := (chirpPostedV3{ChirpID: "c", AuthorID: "a", Language: "en", Parts: []domain.Content{"hi"}}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Decode %s: got %#v, error %v; want %#v", version, got, err, want)
		}
	}
}

func TestDecoderWithUpcastsLeavesOtherEventsAlone(t *testing.T) {
	for _, event := range golden() {
		if _, upcast := event.(domain.ChirpPosted); upcast {
			continue
		}
		name, data, err := domain.EncodeEvent(event)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := later().Decode(name, data); err != nil || got != event {
			t.Errorf("Decode %s: got %#v, error %v; want %#v", name, got, err, event)
		}
	}
	var unknown *domain.UnknownEventError
	if e, err := later().Decode("chirp.posted.v4", []byte(`{}`)); !errors.As(err, &unknown) || unknown.WireName != "chirp.posted.v4" {
		t.Errorf("Decode of a version that is newer still: got %#v, error %v; want an UnknownEventError that names it", e, err)
	}
}

func TestDecoderRefusesUpcastsThat(t *testing.T) {
	same := change(func(map[string]json.RawMessage) {})
	for _, c := range []struct {
		name  string
		steps map[string]domain.Upcast
		data  string
		want  string
	}{
		{"lead to no event", map[string]domain.Upcast{"chirp.posted.v2": {To: "chirp.posted.v2b", Data: same}}, `{}`,
			"decode chirp.posted.v1: its upcasts end at chirp.posted.v2b, which is not a current event type"},
		{"lead back", map[string]domain.Upcast{"chirp.posted.v2": {To: "chirp.posted.v1", Data: same}}, `{}`,
			"decode chirp.posted.v1: the upcasts form a loop"},
		{"lead to themselves", map[string]domain.Upcast{"chirp.posted.v1": {To: "chirp.posted.v1", Data: same}}, `{}`,
			"decode chirp.posted.v1: the upcasts form a loop"},
		{"cannot read the data", nil, `[]`,
			"decode chirp.posted.v1: upcast chirp.posted.v1 to chirp.posted.v2: "},
		{"return what the later version cannot read", map[string]domain.Upcast{"chirp.posted.v2": {To: "chirp.posted.v3", Data: same}}, `{"chirpId":7}`,
			"decode chirp.posted.v1 as chirp.posted.v3: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := later()
			maps.Copy(d.Upcasts, c.steps)
			e, err := d.Decode("chirp.posted.v1", []byte(c.data))
			var unknown *domain.UnknownEventError
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || errors.As(err, &unknown) {
				t.Errorf("got %#v, error %v; want the error %q", e, err, c.want)
			}
		})
	}
}
