package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"chirp/bench/process"
	"chirp/internal/apitest"
)

// check tries on an empty store what is not a matter of rates.
type check struct {
	id, what string
	store    string                                    // the only one that it concerns, or ""
	run      func(ctx context.Context, t *trial) error // returns what did not hold
}

// checks are numbered like the attacks, and continue their letters.
var checks = []check{
	{id: "5a", what: "every file in a folder of mode 0755 has mode 0600", store: embedded, run: filesArePrivate},
	{id: "5b", what: "files that others can read are mended at start", store: embedded, run: filesAreMended},
	{id: "5c", what: "an export has mode 0600", store: embedded, run: exportsArePrivate},
	{id: "9a", what: "import says that it takes a token secret, and can leave it", run: importNamesSecrets},
	{id: "9b", what: "import refuses events that break the domain's rules", run: importChecksEvents},
	{id: "9c", what: "export to - writes standard output", run: exportWritesOutput},
	{id: "10a", what: "the public probe is one word, and has no metrics", run: probesAreShort},
	{id: "10b", what: "during an outage too", store: onMongo, run: probesAreShortInOutages},
	{id: "11a", what: "requests for another host are refused", run: hostsAreChecked},
	{id: "13g", what: "RATE_LIMITED comes as an error message on a socket", run: refusalsAreErrors},
	{id: "13h", what: "--demo refuses an address that others can reach", store: embedded, run: demoIsPrivate},
	{id: "14a", what: "an operator closes an account: its token, socket and password end", run: operatorsDisable},
	{id: "14b", what: "a changed password ends every other access", run: passwordsChange},
	{id: "14c", what: "a user ends all sessions but one", run: sessionsEnd},
	{id: "14d", what: "a session that ends on one server ends on the other", store: onMongo, run: sessionsEndElsewhere},
}

// trial is a check of a build, in a folder of its own.
type trial struct {
	build
	store, dir string
	uri        string // of the MongoDB
	places     int
}

// place returns the flags of a new empty place.
func (t *trial) place() []string {
	t.places++
	if t.store == embedded {
		return []string{"--data", filepath.Join(t.dir, fmt.Sprint("data", t.places))}
	}
	return []string{"--mongodb-uri", t.uri, "--mongodb-database", filepath.Base(t.dir) + "-" + strconv.Itoa(t.places)}
}

// try runs a check.
func (s *stage) try(ctx context.Context, b build, store string, c check) error {
	t := &trial{build: b, store: store}
	var err error
	if t.dir, err = os.MkdirTemp(s.dir, "check-"); err != nil {
		return err
	}
	if store == onMongo {
		if t.uri, err = s.mongo(ctx); err != nil {
			return err
		}
	}
	return c.run(ctx, t)
}

// serve runs do while a server serves the place.
func (t *trial) serve(ctx context.Context, place []string, do func(*server) error) error {
	srv, err := t.start(ctx, place, 0, process.Patience)
	if err != nil {
		return err
	}
	return errors.Join(do(srv), srv.Stop())
}

// register registers a user with the password of the tests, and returns a caller
// with the user's token.
func (s *server) register(ctx context.Context, name string) (caller, error) {
	var got struct{ RegisterUser struct{ Token string } }
	c := newCaller(s.URL, "", victimAddress)
	err := c.do(ctx, apitest.RegisterDocument, apitest.Vars{"username": name, "password": apitest.Password}, "", &got)
	c.token = got.RegisterUser.Token
	return c, err
}

// command runs a command of the program in the trial's folder.
func (t *trial) command(ctx context.Context, args ...string) (out, log string, err error) {
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Dir = t.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	apitest.DieWithParent(cmd)
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}
