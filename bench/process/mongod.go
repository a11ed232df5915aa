package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/apitest"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/mongotest"
)

// Mongod is a replica set of one node, which journals before it acknowledges.
type Mongod struct {
	URI string

	cmd   *exec.Cmd
	ended chan struct{}
}

// StartMongod starts a replica set on a folder, which may have the data of an earlier
// one, and waits until it accepts writes.
func StartMongod(ctx context.Context, dir string) (*Mongod, error) {
	binary, err := mongodBinary()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	addr, err := address(filepath.Join(dir, "address"))
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	m := &Mongod{URI: "mongodb://" + addr + "/?replicaSet=" + setName, ended: make(chan struct{}), cmd: exec.Command(binary,
		"--bind_ip", "127.0.0.1", "--port", port, "--dbpath", dir, "--nounixsocket", "--replSet", setName,
		"--wiredTigerCacheSizeGB", "1", "--oplogSize", "512", "--logpath", filepath.Join(dir, "mongod.log"), "--quiet")}
	apitest.DieWithParent(m.cmd)
	started := make(chan error, 1)
	go m.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start mongod: %w", err)
	}
	if err := initiate(ctx, addr); err != nil {
		return nil, errors.Join(fmt.Errorf("start mongod, whose log is in %s: %w", dir, err), m.Stop())
	}
	return m, nil
}

const setName = "bench"

func mongodBinary() (string, error) {
	if path := os.Getenv("CHIRP_TEST_MONGOD"); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("mongod"); err == nil {
		return path, nil
	}
	path := filepath.Join(".cache", "mongod")
	return path, mongotest.Fetch(path)
}

// address returns a free local address. A replica set remembers its address, so that
// is kept in a file.
func address(file string) (string, error) {
	if text, err := os.ReadFile(file); err == nil {
		return string(text), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), os.WriteFile(file, []byte(l.Addr().String()), 0o600)
}

// run keeps its thread like that of Server.
func (m *Mongod) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(m.ended)
	err := m.cmd.Start()
	started <- err
	if err == nil {
		_ = m.cmd.Wait() // how it ended is in its log
	}
}

// initiate makes a replica set of the node unless it is one, and waits until it is
// primary.
func initiate(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + addr + "/?directConnection=true"))
	if err != nil {
		return err
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	admin := client.Database("admin")
	err = admin.RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: bson.D{
		{Key: "_id", Value: setName}, {Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: addr}}}},
	}}}).Err()
	var refused mongo.CommandError
	if err != nil && (!errors.As(err, &refused) || refused.Name != "AlreadyInitialized") {
		return err
	}
	for {
		var hello struct {
			IsWritablePrimary bool `bson:"isWritablePrimary"`
		}
		err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
		if err == nil && hello.IsWritablePrimary {
			return nil
		}
		if !outage.Pause(ctx, 50*time.Millisecond) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// PID returns the process id.
func (m *Mongod) PID() int { return m.cmd.Process.Pid }

// Stop shuts the node down.
func (m *Mongod) Stop() error {
	_ = m.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-m.ended:
		return nil
	case <-time.After(Patience):
		_ = m.cmd.Process.Kill()
		<-m.ended
		return errors.New("mongod did not end after SIGTERM")
	}
}
