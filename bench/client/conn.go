// Package client calls servers as cheaply as possible, because it shares the machine
// with what is measured: requests are bytes that were formatted beforehand, and
// answers are bytes that are not decoded.
package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// timeout bounds a call. A call that takes longer has failed.
const timeout = 60 * time.Second

// Request returns a POST of a GraphQL operation as it is sent. The token may be "".
func Request(url, token, document string, variables map[string]any) []byte {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		panic(err) // variables are strings and numbers
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json\r\n", host(url))
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.Bytes()
}

func host(url string) string { return strings.TrimPrefix(url, "http://") }

// Conn is a connection that sends one request after another.
type Conn struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

// Dial connects to the server of a URL without a path.
func Dial(url string) (*Conn, error) {
	conn, err := net.DialTimeout("tcp", host(url), timeout)
	if err != nil {
		return nil, err
	}
	return &Conn{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// Close closes the connection.
func (c *Conn) Close() { c.conn.Close() }

// Do sends a request and returns the body of the answer, which is good until the next
// call. A status other than 200 is an error.
func (c *Conn) Do(request []byte) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	status, length, err := c.readHeader()
	if err != nil {
		return nil, err
	}
	c.body = c.body[:0]
	if length >= 0 {
		err = c.readBytes(length)
	} else {
		err = c.readChunks()
	}
	if err == nil && status != "200" {
		err = fmt.Errorf("status %s: %.300s", status, c.body)
	}
	return c.body, err
}

// readHeader returns the status and the length of the body, which is -1 if the body
// comes in chunks.
func (c *Conn) readHeader() (status string, length int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return "", 0, err
	}
	fields := bytes.Fields(line)
	if len(fields) < 2 {
		return "", 0, fmt.Errorf("%q is no status line", line)
	}
	status, length = string(fields[1]), -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return "", 0, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			return status, length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return "", 0, err
			}
		}
	}
}

func (c *Conn) readChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return fmt.Errorf("read the size of a chunk: %w", err)
		}
		if err := c.readBytes(int(size)); err != nil {
			return err
		}
		if line, err = c.in.ReadSlice('\n'); err != nil || len(bytes.TrimSpace(line)) > 0 {
			return errors.Join(err, fmt.Errorf("a chunk ends with %q", line))
		}
		if size == 0 {
			return nil
		}
	}
}

// readBytes appends n bytes to the body.
func (c *Conn) readBytes(n int) error {
	at := len(c.body)
	if cap(c.body) < at+n {
		c.body = append(make([]byte, 0, 2*(at+n)), c.body...)
	}
	c.body = c.body[:at+n]
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}
