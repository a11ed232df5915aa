package internal_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheREADMEsFolderMapNamesEveryPackage compares the folder map of the
// README with the tree: each folder of the map exists, and each package that is
// not for tests alone is in the map.
func TestTheREADMEsFolderMapNamesEveryPackage(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	mapped := folderMap(string(readme))
	for _, dir := range mapped {
		if _, err := os.Stat(path.Join("..", dir)); err != nil {
			t.Errorf("the README's folder map: %v", err)
		}
	}
	for _, f := range productFiles(t, os.DirFS("..")) {
		if dir := path.Dir(f.path); dir != "." && !testOnly(dir) && !slices.Contains(mapped, dir) {
			t.Errorf("the README's folder map lacks %s", dir)
			mapped = append(mapped, dir)
		}
	}
}

// mapLine is a line of the folder map: folders, each with a slash at its end,
// and what is there.
var mapLine = regexp.MustCompile(`^( *)((?:\S+/ +)+|internal/$)`)

// folderMap returns the folders of the README's map, relative to the module. A
// folder belongs to the last one that is indented less.
func folderMap(readme string) []string {
	_, section, _ := strings.Cut(readme, "server.go  ")
	section, _, _ = strings.Cut(section, "```")
	var all []string
	parents := map[int]string{}
	for line := range strings.Lines(section) {
		found := mapLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if found == nil {
			continue
		}
		indent := len(found[1])
		for _, name := range strings.Fields(found[2]) {
			dir := path.Join(parents[indent-2], name)
			parents[indent] = dir
			all = append(all, dir)
		}
	}
	return all
}

func TestFolderMapReadsNestedFolders(t *testing.T) {
	got := folderMap("```\nserver.go   main\na/          one\n  b/ c/     two\n    d/      three\ninternal/\n  x/y/      four\n```\ne/ none")
	want := []string{"a", "a/b", "a/c", "a/c/d", "internal", "internal/x/y"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
