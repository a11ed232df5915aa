package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// An attacker is a process of its own, which runs this program again, so that the
// clients of the victims do not wait for the attacker's.

// attackerVariable is the environment variable that makes the program an
// attacker.
const attackerVariable = "CHIRP_ABUSE_ATTACKER"

// order tells an attacker what to do.
type order struct {
	Attack  string
	URL     string
	Seconds float64
	Tokens  map[int]string // of the attack's accounts, by the users' numbers
}

// tally is what an attacker reports.
type tally struct {
	Done    int64 // calls and messages that the server has taken
	Refused int64 // those that it has refused for being too much
	Failed  int64 // those without an answer, and connections that were refused
	CPU     time.Duration
	Note    string
}

// attacker runs an attack.
type attacker struct {
	order
	done, refused, failed atomic.Int64
	note                  atomic.Value
}

// runAttacker runs the attack that is ordered on in, and reports to out.
func runAttacker(in io.Reader, out io.Writer) error {
	a := &attacker{}
	if err := json.NewDecoder(in).Decode(&a.order); err != nil {
		return err
	}
	for _, known := range attacks {
		if known.id == a.Attack {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(a.Seconds*float64(time.Second)))
			defer cancel()
			known.run(ctx, a)
			return json.NewEncoder(out).Encode(a.tally())
		}
	}
	return fmt.Errorf("there is no attack %q", a.Attack)
}

func (a *attacker) tally() tally {
	note, _ := a.note.Load().(string)
	return tally{Done: a.done.Load(), Refused: a.refused.Load(), Failed: a.failed.Load(), Note: note}
}

// attackPatience bounds how long an attacker may take to end after its time.
const attackPatience = time.Minute

// launch runs an attacker and returns what it reports.
func launch(ctx context.Context, o order) (t tally, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.Seconds*float64(time.Second))+attackPatience)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return t, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), attackerVariable+"=1")
	cmd.Stderr = os.Stderr
	apitest.DieWithParent(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return t, err
	}
	go func() {
		_ = json.NewEncoder(in).Encode(o) // if it fails, the attacker reports it
		in.Close()
	}()
	out, err := cmd.Output()
	if err != nil {
		return t, fmt.Errorf("attack %s: %w", o.Attack, err)
	}
	err = json.Unmarshal(out, &t)
	t.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return t, err
}

// address returns the i-th address of an attack. Each is in a network of its own.
func address(i int) string { return fmt.Sprintf("127.66.%d.9", i) }

// as returns a caller that has the token of an account.
func (a *attacker) as(user int, address string) caller {
	return newCaller(a.URL, a.Tokens[user], address)
}

// anonymous returns a caller without a token.
func (a *attacker) anonymous(address string) caller { return newCaller(a.URL, "", address) }

// count counts a call by its error.
func (a *attacker) count(err error) {
	var refused *apitest.RefusedError
	switch {
	case err == nil:
		a.done.Add(1)
	case errors.Is(err, context.DeadlineExceeded):
	case !errors.As(err, &refused):
		a.failed.Add(1)
	case refused.Code == "RATE_LIMITED" || refused.Code == "UNAVAILABLE":
		a.refused.Add(1)
	default:
		a.done.Add(1) // the server has done its work
	}
}

// together runs n workers until ctx ends.
func together(ctx context.Context, n int, work func(ctx context.Context, i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { work(ctx, i) })
	}
	all.Wait()
}

// repeat calls do until ctx ends, and counts. After a refusal it pauses, so that
// it stays close to what is allowed.
func (a *attacker) repeat(ctx context.Context, pause time.Duration, do func(n int) error) {
	for n := 0; ctx.Err() == nil; n++ {
		err := do(n)
		a.count(err)
		if err != nil {
			outage.Pause(ctx, pause)
		}
	}
}
