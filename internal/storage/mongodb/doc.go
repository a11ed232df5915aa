// Package mongodb keeps the log, the views and the credentials in one database
// of a MongoDB replica set, which several servers may share. This package opens
// and checks the database; the packages beneath it do the rest:
//
//	conn         sessions, open transactions and the meaning of errors
//	format       the documents of the log
//	integrity    watches that nothing the log rests on is lost
//	eventlog     the log: appends, reads, followers, import
//	views        the read model: generations, snapshots, the writer, the lease
//	credentials  password hashes, sessions and the token secret
//
// The rest of this comment specifies the format of the database. Types are those
// of BSON; a long is a 64-bit integer, and a bool that may be absent is only ever
// true.
//
// # Collections
//
//	events                         the log, a document for each event
//	log                            one document: the epoch, and what must be there
//	turns                          one document: the ticket lock
//	credentials                    a document for each user with a password, with
//	                               sessions, or whose access was changed
//	secrets                        one document: the token secret
//	views                          a document for each generation of the views, and
//	                               one that names the generation that serves
//	profiles_N, chirps_N,          the rows of generation N, a decimal number
//	follows_N, timelines_N
//	lease                          one document: which server projects
//	events_import_X                the events of an import in progress; X is random
//
// # The log
//
// A document of events:
//
//	_id            long      the position: 1, 2, 3, … without a gap
//	stream         string    the stream's id
//	version        long      the place in the stream: 1, 2, 3, … without a gap
//	type           string    the wire name of the event
//	data           document  the event
//	recordedAt     date      when the handler decided
//	actor          string    who caused it
//	commandId      string    the actor's id of the command
//	correlationId  string    or absent
//	traceId        string    or absent
//	command        document  or absent; on the first event of an append
//	  fingerprint  string    of the command
//	  events       long      how many events the append has
//	turn           long      or absent; on the last event of a transaction: the
//	                         ticket under which it was appended, or 0
//	importing      bool      or absent; not on an event, see Import
//
// Its indexes are stream_version on (stream, version) and actor_command on
// (actor, commandId), both unique, the latter only of documents that have the
// field command. A document is at most 15 MB.
//
// The fields of data keep the order that they have in the event's JSON. A JSON
// number becomes a long, a double or a decimal, the first of these that holds
// exactly the digits that were written. Readers also accept numbers of other
// types, which tools that go through JSON write, and ignore fields that they do
// not know.
//
// A document without a whole, positive _id, a stream, a version or a type is a
// stray. Readers skip it. Strays at or beyond the next position keep events from
// being appended.
//
// The document of log:
//
//	_id           string    "log"
//	epoch         string    random; identifies the log for as long as it exists
//	first         document  or absent while the log is empty
//	  stream      string    those of the event at position 1
//	  actor       string
//	  commandId   string
//	passwords     document  or absent while no account has a credential
//	  user        string    an account that has one
//	  collection  binary    the UUID of the collection credentials
//	secret        bool      or absent; there is a token secret
//
// The first server to open a database upserts the document with an epoch. Servers
// set the other fields when they find what these record. The fields are there so
// that a loss can be told from a new database; removing passwords or secret
// accepts the loss.
//
// # Appends
//
// An append is part of a transaction with read concern local and write concern
// majority, journaled. It inserts the events of one or more appends, the group,
// at the positions that follow the last event. Transactions of several servers
// collide at the unique _id, so that one of them commits; a stream that has moved
// on collides at stream_version, a repeated command at actor_command. The insert
// names the collection by its UUID (collectionUUID, from version 6.0 on), so that
// it does not create a collection in place of one that was dropped. After the
// insert, and before it acknowledges the group, the server checks that both
// unique indexes are there.
//
// The position of the last event is the one that the same process committed last,
// or is read inside the transaction. After an attempt that collided, the next one
// also finds out inside the transaction which appends are repetitions or
// conflicts, before it inserts.
//
// A change stream on the database reports to each server the last event of each
// transaction, which has the field turn, and any change of the documents of
// views. It only wakes up readers. What they read they read by position, with
// read concern majority, from the primary, in a session that has advanced to the
// newest operation time that the process has seen.
//
// # The ticket lock
//
// The document of turns:
//
//	_id     string  "log"
//	ticket  long    the last ticket that was drawn
//	passed  long    or absent; the greatest ticket that was released without an
//	                append
//
// A server that has noticed another one appending in the last second increments
// ticket, and appends when the ticket before its own appears in the field turn of
// the last event, or in passed, or after half a second without a change. It is
// written with w:1 and read with read concern local, because only fairness
// depends on it.
//
// # Import
//
// An import inserts its events into a new collection events_import_X and builds
// the indexes there. In one transaction it then checks that the log is empty,
// inserts the document {_id: 1, importing: true} into events, sets the epoch, and
// removes first, passwords and secret from the document of log. While the
// document with importing is there, servers neither append nor start. Last, it
// drops the views, which are those of an empty log, and renames the new
// collection to events.
//
// # Credentials
//
// A document of credentials:
//
//	_id               string  the user's id
//	hash              string  or absent if the user has no password; of the password
//	unconfirmedSince  date    or absent once the user's account is known to exist;
//	                          when the credential was saved
//	networks          array   or absent; from where the user has logged in, the one
//	                          remembered last first
//	  network         string  a hash
//	  at              date    when it was remembered
//	epoch             long    or absent for 0; how often all sessions were ended
//	disabled          bool    or absent; the user may not log in
//	sessions          array   or absent; of documents, in the order of their start
//	changed           long    or absent; the number of the last change of epoch or
//	                          disabled, or of a removal from sessions that a token
//	                          may outlive; each has its own number, greater than
//	                          all before it
//
// A document in sessions:
//
//	id       string  session_ and 26 letters and digits
//	epoch    long    the user's when the session started
//	started  date
//	expires  date
//	seen     date    to within ten minutes, when it was last used
//	address  string  from which it was used then
//	agent    string  the header User-Agent with which it was used then
//
// Its indexes are unconfirmedSince on (unconfirmedSince), sparse, changed on (changed),
// unique and sparse, and expires on (sessions.expires), sparse. A change takes the
// number after the greatest that a majority has, and requires that the document has
// none or a lesser one. If another change was faster, this or the unique index refuses
// the number, and the change is made again. So a reader that has seen a number has
// seen all before it.
//
// Before a document with a number is deleted, the document whose _id is empty, and
// which has nothing but changed, takes a greater one, so that no number is used again.
//
// The document of secrets:
//
//	_id     string  "token"
//	secret  binary  the key that signs tokens
//
// Both are read and written with concern majority, journaled.
//
// # Generations of the views
//
// A generation is a complete set of views that was made by replaying the log from
// its beginning. A document of views, one for each generation:
//
//	_id        long      the generation's number
//	format     long      of the rows: 2; absent in views of older versions
//	epoch      string    of the log that it is made from
//	threshold  long      followers from which a user counts as a celebrity
//	position   long      the checkpoint: the last event that is applied completely
//	partial    long      how far the range that the next event is about is worked
//	                     through; 0 if nothing of that event is applied
//	event      long      or absent; the hash of the event at hashedAt
//	hashedAt   long      or absent; equal to position unless an older version of
//	                     this program, which writes no hashes, moved the checkpoint
//	batch      ObjectID  names the transaction that moved the checkpoint last
//	building   bool      or absent; the generation is being built beside the
//	                     serving one
//	deferred   bool      or absent; there are no timelines yet
//	made       document  or absent; how far the timelines are built
//	  a        long      the author up to whom they are built,
//	  c        long      that author's chirp,
//	  s        long      and the follow's position of the next chirp's follower
//	retired    date      or absent; when the generation stopped serving, or 1970 if
//	                     it was discarded
//	held       date      or absent; until when the checkpoint must not move
//	dropping   bool      or absent; the collections are being dropped
//
// The document of views that names the serving generation:
//
//	_id         string  "serving"
//	generation  long    the number of the generation that serves
//	last        long    the greatest number that any generation has had
//
// The document of a generation is there before its collections and until after
// them. Every transaction that makes, switches to or gives up a generation also
// writes the document "serving", so that two of them conflict.
//
// A switch is one transaction: it sets retired on the serving generation, removes
// building from the new one, and sets generation, if the new one is not behind
// the old one. While a server catches up before a switch, it sets held on the
// serving generation, so that no projector moves its checkpoint; a held that lies
// more than five seconds further ahead than readmodel.LongestHold is void. A
// retired generation is
// dropped some time later: dropping is set, the collections are dropped, and then
// the document is deleted.
//
// A generation does not fit its log, and servers make a new, empty one, when its
// epoch differs from the log's or its format from this one, when the log has no
// event at its position or one with another hash, or when one of its collections
// or indexes is gone.
//
// # Rows of the views
//
// Users are referred to by their key, the position of their registration. A
// document of profiles_N:
//
//	_id        long      the user's key
//	id         string    the user's id
//	username   string
//	folded     string    the username without regard to case
//	joined     date
//	followers  long
//	following  long
//	chirps     long
//	pushed     long      how many of the chirps are delivered by push
//	split      document  of the follows of the user that are made now
//	  older    long      the position of the last pushed chirp that they skip, or 0
//	  skipped  long      how many they skip
//	next       document  the split that replaces it
//	  older    long
//	  skipped  long
//	celebrity  bool      new chirps are delivered by pull
//	pull       bool      at least one chirp was delivered by pull
//
// Its indexes are id on (id), unique, and name on (folded).
//
// A document of chirps_N:
//
//	_id     long    the position
//	id      string  the chirp's id
//	a       long    the author's key
//	d       long    readmodel.Delivery
//	text    string
//	posted  date
//
// Its indexes are author on (a, d, _id) and id on (id), unique.
//
// A document of follows_N:
//
//	_id      document  r and e, in this order
//	r        long      the follower's key
//	e        long      the followee's key
//	s        long      the position of the event
//	pull     bool      or absent; the followee is a pull source
//	older    long      or absent; the followee's pushed chirps up to this position are
//	                   not in the follower's timeline
//	skipped  long      or absent; how many these are
//	merged   long      or absent; the position of the last chirp that is merged in when
//	                   the follower's feed is read: older, or the greatest long if the
//	                   followee is a pull source
//
// Its indexes are followers on (e, s, r, older), following on (r, s, e), and sources on
// (r, merged, e, pull, older), the last one only of documents whose merged is above 0.
//
// A document of timelines_N, which is a chirp in the timelines of some users:
//
//	_id  ObjectID
//	p    long      the chirp's position
//	o    array     of long; the keys of the users, at least one
//
// Its index is owner on (o, p), in pages of 4 kB. No two documents name the same user and chirp. A
// generation that is being built has the indexes author, followers and the one on
// the ids of profiles from the start, and the others once its timelines are made.
//
// A batch of changes is one transaction with read concern local and write concern
// majority. It first moves the checkpoint of the generation's document, from the
// position and partial that the batch was computed for: of several projectors one
// succeeds. Queries read in sessions with read concern snapshot, whose first read
// is that of the collection views.
//
// # The lease
//
// The document of lease:
//
//	_id     string  "projector"
//	holder  string  the server that projects
//	until   date    when the lease ends
//	for     long    its duration in milliseconds
//
// A server takes the lease if it holds it, if until has passed by the database's
// clock, or if until lies further ahead than the duration, plus five seconds,
// allows: then the clock was wrong when it was written. The lease only avoids
// wasted work, because the checkpoint decides which projector's batch counts.
package mongodb
