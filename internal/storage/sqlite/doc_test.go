package sqlite_test

import (
	"database/sql"
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chirp/internal/storage/sqlite"
)

// TestDocDescribesTheFiles compares the package's documentation with the files:
// it has each table, column and index under the name that it has on disk, and
// the numbers that mark the formats.
func TestDocDescribesTheFiles(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(parsed.Doc.Text(), "# log.db")
	logDoc, viewsDoc, _ := strings.Cut(rest, "# views-N.db")
	dir := t.TempDir()
	store := openStore(t, dir, sqlite.Options{Exclusive: true})
	if _, err := store.Views().Serving(t.Context(), "epoch", 10); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{"log.db": logDoc, "views-1.db": viewsDoc} {
		t.Run(name, func(t *testing.T) {
			db, err := sql.Open("sqlite", filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var application, version int
			if err := db.QueryRow("SELECT application_id, user_version FROM pragma_application_id, pragma_user_version").Scan(&application, &version); err != nil {
				t.Fatal(err)
			}
			for _, number := range []string{fmt.Sprintf("application_id %#x", application), fmt.Sprintf("user_version %d", version)} {
				if !strings.Contains(strings.Join(strings.Fields(doc), " "), number) {
					t.Errorf("the documentation lacks %s", number)
				}
			}
			for _, line := range schemaOf(t, db) {
				if !regexp.MustCompile(`(?m)^\t` + line + `([ ,]|$)`).MatchString(doc) {
					t.Errorf("the documentation lacks a line %q", line)
				}
			}
		})
	}
}

// schemaOf returns the beginnings of the lines that document a database.
func schemaOf(t *testing.T, db *sql.DB) (lines []string) {
	t.Helper()
	rows, err := db.Query(`SELECT t.name FROM sqlite_schema t WHERE t.type = 'table' UNION ALL
		SELECT '  ' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' UNION ALL
		SELECT '  ' || iif(l."unique", 'unique ', '') || 'index ' || l.name || ' \(' || group_concat(c.name, ', ' ORDER BY c.seqno) || '\)'
			FROM sqlite_schema t, pragma_index_list(t.name) l, pragma_index_info(l.name) c WHERE t.type = 'table' AND l.origin = 'c' GROUP BY l.name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil || len(lines) < 10 {
		t.Fatalf("got %d names, error %v", len(lines), err)
	}
	return lines
}
