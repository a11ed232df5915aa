package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// machine says where and when it was measured.
func machine(rows []result) string {
	model := "unknown"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(text), "model name")
		line, _, _ := strings.Cut(rest, "\n")
		model = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
	}
	var days []string
	for _, r := range rows {
		days = append(days, r.When.UTC().Format("2006-01-02"))
	}
	return fmt.Sprintf("Measured on %s with %s, on %d cores (%s) that the server, the store and the clients share.",
		strings.Join(slices.Compact(slices.Sorted(slices.Values(days))), " and "), runtime.Version(), runtime.NumCPU(), model)
}

// execute runs a program to its end and returns what it prints.
func execute(ctx context.Context, name string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, tail(string(ended.Stderr)))
	}
	return out, err
}
