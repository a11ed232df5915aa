package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressBarIsDrawnOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		bar := &progressBar{out: &out, terminal: true}
		wantWritten := func(want string) {
			t.Helper()
			if out.String() != want {
				t.Errorf("got %q, want %q", out.String(), want)
			}
			out.Reset()
		}
		bar.clear()
		wantWritten("") // nothing is drawn yet
		bar.show("events", 0, 1000)
		wantWritten("\r\x1b[K[------------------------------] 0 of 1000 events")
		bar.show("events", 10, 1000)
		wantWritten("") // too soon
		time.Sleep(2 * time.Second)
		bar.show("events", 500, 1000)
		wantWritten("\r\x1b[K[###############---------------] 500 of 1000 events, 250/s, 2s left")
		time.Sleep(time.Second)
		bar.show("events, building the indexes", 1000, 1000)
		wantWritten("\r\x1b[K[##############################] 1000 of 1000 events, building the indexes")
		bar.println("%d events", 1000)
		wantWritten("\r\x1b[K1000 events\n")
		bar.clear()
		wantWritten("") // it is cleared
	})
}

func TestProgressIsAFewLinesElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		bar := newProgressBar(&out)
		for i := range int64(12) {
			bar.show("users", 10*i, 200)
			time.Sleep(time.Second)
		}
		bar.show("lists", 0, 0) // one that ends at once
		time.Sleep(10 * time.Second)
		bar.show("rows", 7, 9) // one that is reported only when it begins
		bar.clear()
		if want := "50 of 200 users, 10/s, 15s left\n100 of 200 users, 10/s, 10s left\n7 of 9 rows\n"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

func TestRateIsThatOfTheLastSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		bar := &progressBar{out: &out, terminal: true}
		done := int64(0)
		pass := func(seconds int, rate int64) {
			for range seconds {
				bar.show("events", done, 100_000)
				time.Sleep(time.Second)
				done += rate
			}
		}
		pass(10, 1000)
		pass(10, 10)
		out.Reset()
		bar.show("events", done, 100_000)
		if !strings.Contains(out.String(), " events, 10/s, ") {
			t.Errorf("got %q, want the rate of the last seconds", out.String())
		}
	})
}
