// Package outage is for operations that are retried until they succeed: it paces
// the attempts, and tracks since when they fail, how many have failed, and when to
// log that. It logs the first failure, then one per minute with the count, and the
// end.
package outage

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// logEvery is the time between two log lines about one outage.
	logEvery = time.Minute
	// Longest is the longest pause between two attempts.
	Longest = 2 * time.Second
)

// Report describes an outage at one moment.
type Report struct {
	// Err is the error of the last attempt.
	Err error
	// Since is when the first attempt failed, and Tries how many attempts have
	// failed.
	Since time.Time
	Tries int
}

// Outage tracks the outages of something that a part of the program depends on.
// It may be used concurrently. The zero Outage means that there is none.
type Outage struct {
	mu     sync.Mutex
	report Report
	logged time.Time
}

// Failed records a failed attempt, and logs it as a warning if it is time to. args
// are further attributes of the line. Failed returns the number of failed
// attempts, from 1.
func (o *Outage) Failed(log *slog.Logger, msg string, err error, args ...any) (tries int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.report.Tries == 0 {
		o.report.Since = now
	}
	o.report.Err = err
	o.report.Tries++
	if o.logged.IsZero() || now.Sub(o.logged) >= logEvery {
		args = append(args, "error", err)
		if o.report.Tries > 1 {
			args = append(args, "tries", o.report.Tries, "for", now.Sub(o.report.Since).Round(time.Millisecond).String())
		}
		o.logged = now
		log.Warn(msg, args...)
	}
	return o.report.Tries
}

// Ended records a successful attempt, and logs the end of an outage that lasted
// for more than one attempt.
func (o *Outage) Ended(log *slog.Logger, msg string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.report; r.Tries > 1 {
		log.Info(msg, "tries", r.Tries, "for", time.Since(r.Since).Round(time.Millisecond).String())
	}
	o.report, o.logged = Report{}, time.Time{}
}

// Now returns the current outage, and whether there is one.
func (o *Outage) Now() (Report, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.report, o.report.Tries > 0
}

// Delay returns the pause after a number of failed attempts: first after one
// attempt, twice as long after each further one, and at most Longest.
func Delay(first time.Duration, tries int) time.Duration {
	const doublings = 10
	return min(first<<min(max(tries-1, 0), doublings), Longest)
}

// Pause waits for d or until ctx ends, and reports whether ctx lasted that long.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
