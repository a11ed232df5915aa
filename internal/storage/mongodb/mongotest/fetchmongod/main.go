// Command fetchmongod puts a mongod binary at the path given, for the tests.
package main

import (
	"fmt"
	"os"

	"chirp/internal/storage/mongodb/mongotest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: fetchmongod PATH")
		os.Exit(2)
	}
	if err := mongotest.Fetch(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "fetchmongod:", err)
		os.Exit(1)
	}
}
