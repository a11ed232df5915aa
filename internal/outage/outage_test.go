package outage_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/outage"
)

func TestAnOutageIsLoggedOnceAndThenNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		var o outage.Outage
		if _, ongoing := o.Now(); ongoing {
			t.Error("the zero Outage is an outage")
		}
		for range 150 {
			o.Failed(log, "it fails", errors.New("no disk"), "what", "views")
			time.Sleep(time.Second)
		}
		report, ongoing := o.Now()
		if !ongoing || report.Tries != 150 || report.Err.Error() != "no disk" || time.Since(report.Since) != 150*time.Second {
			t.Errorf("Now: got %+v, %t; want 150 tries in 150 s", report, ongoing)
		}
		o.Ended(log, "it works")
		o.Ended(log, "it works")
		want := []string{
			`msg="it fails" what=views error="no disk"`,
			`msg="it fails" what=views error="no disk" tries=61 for=1m0s`,
			`msg="it fails" what=views error="no disk" tries=121 for=2m0s`,
			`msg="it works" tries=150 for=2m30s`,
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != len(want) {
			t.Fatalf("got %d lines, want %d:\n%s", len(lines), len(want), out.String())
		}
		for i, line := range lines {
			if !strings.HasSuffix(line, want[i]) {
				t.Errorf("line %d: got %s, want it to end in %s", i, line, want[i])
			}
		}
		if _, ongoing := o.Now(); ongoing {
			t.Error("an outage that ended is one still")
		}
	})
}

func TestDelaysGrowToTheLongest(t *testing.T) {
	for _, c := range []struct {
		tries int
		want  time.Duration
	}{{1, 100 * time.Millisecond}, {2, 200 * time.Millisecond}, {5, 1600 * time.Millisecond}, {6, outage.Longest}, {1000, outage.Longest}} {
		if got := outage.Delay(100*time.Millisecond, c.tries); got != c.want {
			t.Errorf("Delay after %d tries: got %s, want %s", c.tries, got, c.want)
		}
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if !outage.Pause(ctx, 59*time.Second) || time.Since(began) != 59*time.Second {
			t.Errorf("a pause within the context's time: got that it was cut off after %s", time.Since(began))
		}
		if outage.Pause(ctx, 2*time.Second) || time.Since(began) != time.Minute {
			t.Errorf("a pause beyond the context's time: got that it went to its end, after %s", time.Since(began))
		}
	})
}
