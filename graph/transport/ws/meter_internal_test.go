package ws

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// TestFramesAreCounted counts frames of all sizes, in pieces of all sizes.
func TestFramesAreCounted(t *testing.T) {
	var stream bytes.Buffer
	frames := 0
	for _, size := range []int{0, 1, 125, 126, 127, 1000, 65_535, 65_536, 100_000} {
		for _, masked := range []bool{true, false} {
			head := []byte{0x80 | websocket.TextMessage}
			switch {
			case size < 126:
				head = append(head, byte(size))
			case size < 1<<16:
				head = append(head, 126, byte(size>>8), byte(size))
			default:
				head = append(head, 127, 0, 0, 0, 0, 0, byte(size>>16), byte(size>>8), byte(size))
			}
			if masked {
				head[1] |= 0x80
				head = append(head, 1, 2, 3, 4)
			}
			stream.Write(head)
			stream.Write(bytes.Repeat([]byte{0xff}, size))
			frames++
		}
	}
	for range 50 {
		rest, counted, f := stream.Bytes(), 0, frameCounter{}
		for len(rest) > 0 {
			n := min(len(rest), 1+rand.IntN(5000))
			counted += f.count(rest[:n])
			rest = rest[n:]
		}
		if counted != frames {
			t.Fatalf("%d frames were counted, want %d", counted, frames)
		}
	}
}

// A client that waits all the time is closed only if it has sent a good part of what its
// caller may.
func TestWhoSendsLittleIsNeverOverdue(t *testing.T) {
	for name, c := range map[string]struct {
		paid time.Duration // of each second of waiting
		want bool
	}{
		"all that its caller may":        {time.Second, true},
		"as one of ten sockets":          {time.Second / 10, true},
		"next to nothing, as others pay": {time.Second / 100, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var o overdue
				got := false
				for range 300 {
					time.Sleep(time.Second)
					got = got || o.add(time.Second, c.paid)
				}
				if got != c.want {
					t.Errorf("it is overdue: %t, want %t", got, c.want)
				}
			})
		})
	}
}

func TestErrorsThatOthersShareKeepTheirPaths(t *testing.T) {
	shared := &gqlerror.Error{Message: "too many calls", Path: ast.Path{ast.PathName("feed")}}
	if got := withoutPaths(gqlerror.List{shared}); len(got) != 1 || got[0].Path != nil || got[0].Message != shared.Message || shared.Path == nil {
		t.Errorf("got %v, and the shared error has the path %v; want a copy without a path", got, shared.Path)
	}
}
