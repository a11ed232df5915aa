// Command printschema prints the schema in the files of a folder as one text, for
// tools that compare and check schemas and for clients that generate code from them.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: printschema FOLDER FILE")
		os.Exit(2)
	}
	if err := printSchema(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "printschema:", err)
		os.Exit(1)
	}
}

// definitionEnd is the last line of a definition.
var definitionEnd = regexp.MustCompile(`(?m)^(}|scalar .*)\n`)

// printSchema writes the schema in the folder's *.graphqls files to the target,
// sorted by name, so that moving a definition changes nothing.
func printSchema(folder, target string) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.graphqls"))
	if err != nil {
		return err
	}
	var sources []*ast.Source
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		sources = append(sources, &ast.Source{Name: name, Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchema(schema)
	spaced := definitionEnd.ReplaceAll(text.Bytes(), []byte("$0\n"))
	printed := append([]byte("# Printed from schema/ by go generate.\n\n"), bytes.TrimRight(spaced, "\n")...)
	return os.WriteFile(target, append(printed, '\n'), 0o644)
}
