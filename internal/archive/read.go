package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/strictjson"
)

const (
	// maxLine bounds a line. The largest event that a store accepts is smaller.
	maxLine = 64 << 20
	// batch is the number of events or credentials yielded at a time.
	batch = 1000
)

// Reader reads an archive, each part once and in order. If something is wrong
// with the archive, the error is of kind Invalid and names the line.
type Reader struct {
	Header Header
	lines  *bufio.Scanner
	line   int

	accounts bool          // whether the next line is about accounts
	users    int           // how many users were read
	user     domain.UserID // the last of them
}

// NewReader returns a Reader that has read the header of an archive, which may be
// compressed.
func NewReader(in io.Reader) (*Reader, error) {
	buffered := bufio.NewReaderSize(in, 1<<16)
	if magic, err := buffered.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, domain.Errorf(domain.Invalid, "the file is damaged: %v", err)
		}
		buffered = bufio.NewReaderSize(unzipped, 1<<16)
	}
	r := &Reader{lines: bufio.NewScanner(buffered)}
	r.lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	var h headerLine
	if line, err := r.next(); err != nil {
		return nil, err
	} else if line == nil {
		return nil, domain.Errorf(domain.Invalid, "the file is empty")
	} else if err := strictjson.Unmarshal(line, &h); err != nil || h.Chirp != "log" {
		return nil, domain.Errorf(domain.Invalid, "the file is not an export of a log: its first line is %.60q", line)
	}
	switch {
	case h.Format != Format:
		return nil, domain.Errorf(domain.Invalid, "the file has format %d, but this program reads %d: import it with the version that wrote it, or a newer one", h.Format, Format)
	case h.Epoch == "" || h.Head < 0:
		return nil, r.errorf("the header lacks its epoch or has a negative head")
	}
	r.Header = h.header()
	r.accounts = r.Header.Access
	return r, nil
}

// next returns the next line, nil at the end.
func (r *Reader) next() ([]byte, error) {
	if r.lines.Scan() {
		r.line++
		return r.lines.Bytes(), nil
	}
	err := r.lines.Err()
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		r.line++
		return nil, r.errorf("longer than %d bytes", maxLine)
	case errors.As(err, &corrupt), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return nil, domain.Errorf(domain.Invalid, "after line %d: the compressed file is cut off or damaged (%v)", r.line, err)
	case err != nil:
		return nil, fmt.Errorf("after line %d: %w", r.line, err)
	}
	return nil, nil
}

func (r *Reader) errorf(format string, args ...any) error {
	return domain.Errorf(domain.Invalid, "line %d: %s", r.line, fmt.Sprintf(format, args...))
}

// decode decodes a line, which must have no unknown members.
func (r *Reader) decode(line []byte, into any) error {
	if err := strictjson.UnmarshalKnown(line, into); err != nil {
		return r.errorf("malformed: the line %v", err)
	}
	return nil
}

// Accounts is a part of what an archive has about accounts besides the events. Without
// credentials, that is the access alone, without sessions.
type Accounts struct {
	// TokenSecret is set in the first part, if the archive has one.
	TokenSecret []byte
	Credentials []auth.Credential
}

// Accounts returns an iterator over the accounts in parts, none if the archive has
// nothing about accounts.
func (r *Reader) Accounts() iter.Seq2[Accounts, error] {
	return func(yield func(Accounts, error) bool) {
		var part Accounts
		for r.accounts {
			if err := r.readAccount(&part); err != nil {
				yield(Accounts{}, err)
				return
			}
			if full := len(part.Credentials) == batch; full || !r.accounts {
				if !yield(part, nil) {
					return
				}
				part = Accounts{}
			}
		}
	}
}

// readAccount reads a line about accounts into a part. After the last line, r.accounts
// is false.
func (r *Reader) readAccount(part *Accounts) error {
	line, err := r.accountLine()
	if err != nil {
		return err
	}
	total := cmp.Or(line.Credentials, line.Users)
	switch {
	case total != nil && *total != r.users:
		return r.errorf("%d users, but there are %d", *total, r.users)
	case total != nil:
		r.accounts = false
	case len(line.TokenSecret) > 0 && r.users == 0 && part.TokenSecret == nil:
		part.TokenSecret = line.TokenSecret
	case line.User > r.user && (line.Hash != "" || line.Access != nil):
		access, ok := line.Access.access()
		if !ok {
			return r.errorf("not the access of a user")
		}
		r.users, r.user = r.users+1, line.User
		part.Credentials = append(part.Credentials, auth.Credential{User: line.User, Hash: line.Hash, Access: access})
	default:
		return r.errorf("neither a user, in the order of their ids, nor their number")
	}
	return nil
}

func (r *Reader) accountLine() (accountLine, error) {
	line, err := r.next()
	if err == nil && line == nil {
		err = domain.Errorf(domain.Invalid, "the file ends after line %d, within %s: it is cut off", r.line, r.section())
	}
	if err != nil {
		return accountLine{}, err
	}
	var l accountLine
	if err := strictjson.UnmarshalKnown(line, &l); err != nil {
		return accountLine{}, r.errorf("malformed, within %s: the line %v", r.section(), err)
	}
	kinds := 0
	for _, is := range []bool{l.TokenSecret != nil, l.User != "" || l.Hash != "" || l.Access != nil, l.Credentials != nil, l.Users != nil} {
		if is {
			kinds++
		}
	}
	switch {
	case kinds != 1 || r.Header.Credentials && l.Users != nil:
		return accountLine{}, r.errorf("not a line of %s", r.section())
	case !r.Header.Credentials && l.secret():
		return accountLine{}, r.errorf("credentials, which the header does not announce")
	}
	return l, nil
}

// section names the lines between the header and the first event.
func (r *Reader) section() string {
	if r.Header.Credentials {
		return "the credentials"
	}
	return "the users' access"
}

// Events returns an iterator over the events in batches. It checks that they are
// those of a whole log that ends at the header's head, and that the file ends
// there too. The import checks what only all events together show: that streams
// are whole and that no command occurs twice. Events skips accounts that were not
// read.
func (r *Reader) Events() iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for _, err := range r.Accounts() {
			if err != nil {
				yield(nil, err)
				return
			}
		}
		var sequence eventstore.Sequence
		for sequence.Last() < r.Header.Head {
			events, err := r.events(&sequence)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(events, nil) {
				return
			}
		}
		if err := r.end(&sequence); err != nil {
			yield(nil, err)
		}
	}
}

// events reads a batch.
func (r *Reader) events(sequence *eventstore.Sequence) ([]eventstore.Event, error) {
	n := min(batch, r.Header.Head-sequence.Last())
	events := make([]eventstore.Event, 0, n)
	for range n {
		line, err := r.next()
		switch {
		case err != nil:
			return nil, err
		case line == nil:
			return nil, domain.Errorf(domain.Invalid, "the file ends after line %d, %s; it should go on to the event at position %d: it is cut off", r.line, r.reached(sequence.Last()), r.Header.Head)
		}
		var e eventLine
		if err := r.decode(line, &e); err != nil {
			return nil, err
		}
		if err := sequence.Next(e.event()); err != nil {
			return nil, r.errorf("%v", err)
		}
		events = append(events, e.event())
	}
	return events, nil
}

// reached returns how far the archive was read, for an error message.
func (r *Reader) reached(last domain.Position) string {
	switch {
	case last > 0:
		return fmt.Sprintf("with the event at position %d", last)
	case r.line > 1:
		return fmt.Sprintf("with the end of %s, before the first event", r.section())
	}
	return "with its header, before the first event"
}

func (r *Reader) end(sequence *eventstore.Sequence) error {
	if err := sequence.End(); err != nil {
		return r.errorf("%v", err)
	}
	line, err := r.next()
	if err == nil && line != nil {
		err = r.errorf("it follows the event at position %d, where the log should end", r.Header.Head)
	}
	return err
}
