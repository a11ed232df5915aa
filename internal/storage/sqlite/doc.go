// Package sqlite keeps the log, the read model and the credentials in one data
// folder, with no server to install. It opens and locks the folder; package
// eventlog has the log, views the read model, credentials the credentials, and
// dbfile what they share. This comment is the specification of the format.
//
// # The folder
//
//	log.db              the log, the credentials, the sessions and the token secret
//	views               the number of the generation of the views that serves
//	views-N.db          generation N of the views, which can be made again from the log
//	lock                locked by the server on the folder; holds its process id
//	*.db-wal, *.db-shm  SQLite's, beside a database that is open, or after a crash
//
// A -wal file belongs to its database: a copy of the folder without it lacks
// the last transactions. The folder is created with mode 0700. Every file in it
// has mode 0600 from the moment it exists, whatever the umask: SQLite creates no
// database, and gives the files beside one the database's mode. When a store is
// opened, files of these names that other users have rights to, and copies whose
// names begin with log.db, are closed to them. Files that the superuser makes in
// the folder belong to the folder's owner, or if that is the superuser, to the
// log's.
//
// Other names are of files that exist for a moment, and a server removes those
// that are more than a minute old: .writable-* (to see whether the folder can be
// written to), views-*.tmp and views-N.db.new-* (a file under way to its name),
// and etilqs_* (SQLite's own, in which it sorts; most have no name at all).
//
// # log.db
//
// A SQLite database in WAL mode with application_id 0x43687270 ("Chrp") and
// user_version 1. All times are milliseconds since 1970, UTC.
//
//	events
//	  position        primary key: 1, 2, 3 and so on without a gap, in the order of the commits
//	  stream          "chirp:" and the chirp's id, for example
//	  version         in the stream, from 1
//	  type            the event's wire name, such as "chirp.posted.v1"
//	  data            JSON text, byte for byte as it was appended
//	  recorded_at     time
//	  actor           who sent the command; with command_id the command's key
//	  command_id
//	  correlation_id
//	  trace_id
//	  fingerprint     of the command; only on the first event of an append, else NULL
//	  commit_events   how many events the append has; NULL where fingerprint is
//	  unique index events_by_stream (stream, version)
//	  unique index events_by_command (actor, command_id), where fingerprint is not NULL
//	credentials
//	  user_id         primary key; no rowid
//	  hash            of the password
//	  saved_at        time
//	  confirmed       0 until the account's event is in the log, then 1
//	  index credentials_unconfirmed (saved_at), where confirmed is 0
//	networks          from which users have logged in; absent until a server that
//	                  knows of it opens the file
//	  user_id         with network the primary key; no rowid
//	  network         a hash
//	  remembered_at   time
//	access            a row for each user whose access was changed, and one with an
//	                  empty user_id that keeps a number when rows were deleted
//	  user_id         primary key; no rowid
//	  epoch           how often all sessions of the user were ended
//	  disabled        1 if the user may not log in, otherwise 0
//	  changed         the number of the user's last change; each has its own, greater
//	                  than all before it
//	  unique index access_by_change (changed)
//	sessions
//	  id              primary key; no rowid
//	  user_id
//	  epoch           the user's when the session started
//	  started_at      time
//	  expires_at      time
//	  seen_at         time, to within ten minutes, when it was last used
//	  address         from which it was used then
//	  agent           the header User-Agent with which it was used then
//	  index sessions_by_user (user_id, started_at)
//	  index sessions_by_expiry (expires_at)
//	meta              one row
//	  epoch           a UUID made with the log; an import sets the imported log's
//	  secret          signs tokens; NULL until it is first needed
//
// The tables are STRICT, and made in one transaction with the application_id,
// before the switch to WAL: a file that was left half made is empty and is made
// again. An append inserts rows and nothing else; no event is ever changed or
// deleted. An import is one transaction that drops the two indexes of the
// events, inserts, makes the indexes again and sets the epoch.
//
// # views-N.db
//
// A SQLite database in WAL mode with application_id 0x43685677 ("ChVw") and
// user_version 4. Users are known by the position of their registration (the
// key), chirps by the position of theirs, and a follow by that of its event.
//
//	generation        one row
//	  number          N
//	  epoch           of the log that the views are made from
//	  threshold       of celebrities
//	  position        the checkpoint: the last event that the views show in full
//	  partial         how far the event after it has been applied, 0 if not at all
//	  event           hash of the event at position
//	  held            time until which the checkpoint stays, for a builder to catch up
//	profiles
//	  key             primary key
//	  id              unique
//	  username        as it was written
//	  folded          username without regard to case
//	  joined_at       time
//	  followers       counts
//	  following
//	  chirps
//	  pushed          how many of the chirps were pushed
//	  celebrity       0 or 1
//	  pull_source     1 once a chirp was not pushed
//	  older           the split of follows of the user that are made now: position
//	  skipped         of the last pushed chirp that they skip, and how many they skip
//	  next_older      the split after that
//	  next_skipped
//	  unique index profiles_by_name (folded)
//	chirps
//	  position        primary key
//	  id
//	  author          key of a profile
//	  content
//	  posted_at       time
//	  delivery        0 if it was pushed to timelines, 1 if it is pulled by readers
//	  index chirps_by_author (author, delivery, position)
//	  unique index chirps_by_id (id)
//	follows
//	  follower        key of a profile; primary key with followee, no rowid
//	  followee        key of a profile
//	  since           position
//	  pull            1 if the followee is a pull source
//	  older           position of the last pushed chirp of the followee that is not in
//	                  the follower's timeline, 0 if all are
//	  skipped         how many are not
//	  index follows_by_followee (followee, since)
//	  index follows_by_follower (follower, since)
//	  index follows_pulled (follower, followee), where pull is 1
//	  index follows_split (follower, older, followee), where older is not 0
//	volumes
//	  start           primary key: the first position of the volume
//	  room            how many deliveries it is for
//	  delivered       how many it has had
//	timeline
//	  volume          start of the volume; primary key with owner and position, no rowid
//	  owner           key of a profile
//	  position        of a chirp
//
// Timelines are kept in volumes. A volume has the deliveries of the chirps from
// its start up to the start of the next, ordered by owner; a batch at whose end
// the last volume is full begins another after it. Without volumes, the
// timelines of a chirp's followers would be pages apart once they are long, and
// each delivery would cost a page: ten times as much at 500 entries each. To
// read a timeline is to go through the volumes, the newest first, until there
// are enough rows.
//
// A generation that is being built has user_version 5 at first: no volumes, no
// timeline, and of the indexes only the unique one of profiles (id). Finishing it is one
// transaction that makes them and sets user_version 4.
//
// # What is durable when
//
// The log has synchronous=FULL: an append that has returned was synced to the
// disk. One goroutine of a process writes, on one connection, and commits what
// was queued while the transaction before was committed in one transaction, with
// one sync; a long queue takes several. That takes the write lock first (BEGIN IMMEDIATE),
// because other processes may write between two transactions. Open makes SQLite
// sync with fdatasync where the system has it: as durable as fsync, without the
// wait for the file's time stamps. The credentials are written by the same
// goroutine in the same transactions.
//
// The views have synchronous=NORMAL: a power cut can take the last batches from
// them, together with the checkpoint that counted them, and never one without
// the other. The log has these events still, and they are applied again.
//
// Every connection has busy_timeout(10000), and these settings:
//
//	log, writer and import  synchronous(FULL), cache_size(-65536), wal_autocheckpoint(4000)
//	log, readers            query_only(1)
//	views, projector        synchronous(NORMAL), cache_size(-65536), temp_store(MEMORY),
//	                        wal_autocheckpoint(4000), journal_size_limit(67108864)
//	views, builder          synchronous(NORMAL), cache_size(-131072), temp_store(FILE),
//	                        wal_autocheckpoint(16000), journal_size_limit(67108864)
//	views, readers          query_only(1), cache_size(-8192)
//
// When the -wal of the views has outgrown its limit, readers are held off for up
// to 50 ms after a batch, because it can be reused only while it has no reader.
// SQLite's temporary files are made in the folder (temp_store_directory).
//
// # Generations of the views
//
// The file views holds a decimal number and a line feed; without the file no
// generation serves. To switch is to write another file, sync it and rename it
// over this one, under the write locks of both generations. The checkpoint of
// the new one must not be behind the old one's. Every process reads the file
// before it writes to the views, and to read from them at least each 100 ms
// while it is used; snapshots that are open go on in the old generation, for a
// minute at most.
//
// A file views-N.db gets its name only when its tables are complete, by a hard
// link, which fails if there is such a file, or by a rename where there are no
// links. Numbers only grow: a file with a
// higher number than the one that serves is being built or was left unfinished,
// one with a lower number served before. A generation that stops serving is
// touched, so that its time tells how long ago that was, and a server removes
// it when it is old enough.
//
// Views that cannot be read, have another user_version, or do not belong to the
// log are discarded by the server on the folder, which makes them again from the
// log. They belong to it if the epoch is the log's, the position is not beyond
// its end, and the event at the position has the hash. When a server opens the
// folder it removes the files of such views and begins with generation 1; while
// it runs it begins a generation with a higher number and leaves the files to
// those that have them open. Other processes refuse such views and leave them
// alone.
//
// # The lock
//
// The server, and an import, lock the file lock with flock (LockFileEx on
// Windows) for as long as they run; its existence means nothing. Processes
// without the lock may read, append and build a generation at the same time:
// what keeps them apart is SQLite's locks. Only the holder of the lock projects,
// and discards views that serve.
//
// # Files that go away
//
// SQLite goes on writing to a file that was deleted or moved. So each process
// that may write compares log.db, its -wal and its -shm with what their paths
// name: the first two before and after every transaction, all each second. While
// they are not the files that were opened, or the last event that was written is
// not in log.db, nothing is written, calls fail, and the store reports a problem.
// The server does the same with the file lock, which it locks again if it can,
// and with the views, which it makes again. A folder that has views but no log,
// or an empty one, is not opened.
//
// # Versions
//
// A log with a higher user_version is refused; there is no lower one yet. The tables
// networks, access and sessions were added without a new number, by each process that
// may write: a version of this program that does not know them can use the log, and lets
// disabled users in. A process that only reads takes their absence for emptiness. Views
// with another user_version are made again, so their format may change at will.
package sqlite
