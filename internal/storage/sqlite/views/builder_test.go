package views

import "testing"

// What a builder sorts for an index may be larger than memory.
func TestBuildersSortInFiles(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	serveViews(t, v)
	b, err := v.Build(t.Context(), testEpoch, 10)
	wantNil(t, err)
	const file = 1
	wantNil(t, b.(*builder).generation.withWriter(func(c *conn) error {
		stores, err := collect(c, scanOne[int], "PRAGMA temp_store")
		if err == nil && (len(stores) != 1 || stores[0] != file) {
			t.Errorf("PRAGMA temp_store: got %v, want %d", stores, file)
		}
		return err
	}))
}
