package mongotest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// dirPrefix begins the names of the servers' directories. The pid of the test
// process and a dash follow.
const dirPrefix = "chirp-mongod-"

// Node is one mongod. A test may end it in various ways and start it again with the
// same data, port and arguments. The methods are for one goroutine at a time.
type Node struct {
	binary string
	dir    string
	addr   string
	args   []string

	process *os.Process
	ended   chan struct{} // closed when the process is gone
}

// startNode starts a mongod on a free port and waits until it answers. Another
// program may take the port before the node does, so it tries several times.
func startNode(binary string, args []string) (*Node, error) {
	sweep()
	var errs error
	for range 3 {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-")
		if err != nil {
			return nil, err
		}
		n := &Node{binary: binary, dir: dir, addr: addr, args: args}
		if err = n.start(); err == nil {
			return n, nil
		}
		n.close()
		errs = errors.Join(errs, err)
	}
	return nil, errs
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Addr returns the address at which the node listens, as host:port.
func (n *Node) Addr() string { return n.addr }

// URI returns the connection string of this node alone, whatever its role.
func (n *Node) URI() string { return "mongodb://" + n.addr + "/?directConnection=true" }

// Kill ends the node at once, as kill -9 or a power failure would.
func (n *Node) Kill() { n.end(syscall.SIGKILL) }

// Stop shuts the node down.
func (n *Node) Stop() { n.end(syscall.SIGTERM) }

// Pause makes the node stop answering. Its connections stay open.
func (n *Node) Pause() {
	n.signal(syscall.SIGSTOP)
	time.Sleep(100 * time.Millisecond) // until every thread has stopped
}

// Resume undoes Pause.
func (n *Node) Resume() { n.signal(syscall.SIGCONT) }

// Restart starts a node that was killed or stopped, with the data it had, and
// waits until it answers.
func (n *Node) Restart(t testing.TB) {
	t.Helper()
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
}

func (n *Node) start() error {
	_, port, err := net.SplitHostPort(n.addr)
	if err != nil {
		return err
	}
	args := append([]string{
		"--bind_ip", "127.0.0.1", "--port", port, "--dbpath", n.dir, "--nounixsocket",
		"--logpath", n.logPath(), "--logappend", "--quiet",
		"--setParameter", "diagnosticDataCollectionEnabled=false",
	}, n.args...)
	started := make(chan error)
	n.ended = make(chan struct{})
	go n.run(exec.Command(n.binary, args...), started)
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", n.binary, err)
	}
	return n.awaitAnswer()
}

// run keeps its thread for as long as the process lives, because the kernel kills
// the process when the thread that started it ends.
func (n *Node) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(n.ended)
	cmd.SysProcAttr = dieWithParent()
	err := cmd.Start()
	n.process = cmd.Process
	started <- err
	if err == nil {
		_ = cmd.Wait() // how it ended is in its log
	}
}

func (n *Node) awaitAnswer() error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-n.ended:
			return fmt.Errorf("mongod on %s ended at once; the end of its log:\n%s", n.addr, n.logTail())
		default:
		}
		conn, err := net.Dial("tcp", n.addr)
		if err != nil {
			continue
		}
		conn.Close()
		_, err = admin(n.URI(), bson.D{{Key: "ping", Value: 1}})
		return err
	}
	return fmt.Errorf("mongod on %s does not answer; the end of its log:\n%s", n.addr, n.logTail())
}

func (n *Node) signal(s syscall.Signal) {
	if n.process != nil {
		_ = n.process.Signal(s) // fails only when the process is gone
	}
}

func (n *Node) end(s syscall.Signal) {
	if n.process == nil {
		return
	}
	n.signal(s)
	n.signal(syscall.SIGCONT)
	<-n.ended
	n.process = nil
}

func (n *Node) close() {
	n.Kill()
	_ = os.RemoveAll(n.dir)
}

func (n *Node) logPath() string { return filepath.Join(n.dir, "mongod.log") }

func (n *Node) logTail() string {
	text, err := os.ReadFile(n.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}

// sweep removes the directories of test processes that have ended.
func sweep() {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err == nil && pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
}
