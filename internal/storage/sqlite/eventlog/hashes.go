package eventlog

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"chirp/internal/domain"
)

// hashesQuery takes the positions as a JSON array.
const hashesQuery = "SELECT position, stream, recorded_at FROM events WHERE position IN (SELECT value FROM json_each(?))"

// Hashes implements eventstore.Log.
func (l *Log) Hashes(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	list, err := json.Marshal(positions)
	if err != nil {
		return nil, err
	}
	return Read(ctx, l, "read the hashes of events", func(*sql.DB) (map[domain.Position]domain.EventHash, error) {
		return scanHashes(l.stmts.hashes.QueryContext(ctx, string(list)))
	})
}

func scanHashes(rows *sql.Rows, err error) (map[domain.Position]domain.EventHash, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	hashes := make(map[domain.Position]domain.EventHash)
	for rows.Next() {
		var at domain.Position
		var stream domain.StreamID
		var recorded int64
		if err := rows.Scan(&at, &stream, &recorded); err != nil {
			return nil, err
		}
		hashes[at] = domain.HashEvent(stream, time.UnixMilli(recorded))
	}
	return hashes, rows.Err()
}
