package ws

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/gorilla/websocket"
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
