package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHelpOfACommandHasItsOwnFlagsOnly(t *testing.T) {
	store := []string{"--data", "--mongodb-uri", "--log-format"}
	for _, c := range []struct {
		args      []string
		has, lack []string
	}{
		{[]string{"--help"}, []string{"Commands:", "--rate-limit", "--max-cost", "rebuild [flags]", "help [flags]", "--version"}, []string{"--sample"}},
		{[]string{"-h"}, []string{"Commands:", "--rate-limit"}, nil},
		{[]string{"help"}, []string{"Commands:", "--rate-limit"}, nil},
		{[]string{"--log-level", "debug", "help"}, []string{"Commands:", "--rate-limit"}, nil},
		{[]string{"serve", "--help"}, slices.Concat(store, []string{"--rate-limit", "--max-cost", "--demo", "--celebrity-threshold"}), []string{"--sample"}},
		{[]string{"help", "serve"}, []string{"Usage: chirp serve", "--rate-limit"}, []string{"Commands:"}},
		{[]string{"rebuild", "-h"}, slices.Concat(store, []string{"--celebrity-threshold"}), []string{"--rate-limit", "--addr", "--max-cost", "--demo"}},
		{[]string{"verify", "--help"}, slices.Concat(store, []string{"--sample", "--seed"}), []string{"--rate-limit", "--addr", "--max-cost", "--celebrity-threshold"}},
		{[]string{"help", "verify"}, slices.Concat(store, []string{"--sample"}), []string{"--rate-limit"}},
		{[]string{"export", "--help"}, slices.Concat(store, []string{"--with-credentials"}), []string{"--rate-limit", "--trusted-proxies", "--new-epoch"}},
		{[]string{"help", "import"}, slices.Concat(store, []string{"--new-epoch", "--without-credentials", "--with-token-secret"}), []string{"--rate-limit", "--with-credentials"}},
		{[]string{"help", "version"}, []string{"Print the version."}, store},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Setenv("CHIRP_RATE_LIMIT", "nonsense") // it may be what the user needs help for
			var out bytes.Buffer
			if _, err := Parse(c.args, &out); !errors.Is(err, ErrHelp) {
				t.Errorf("got error %v, want ErrHelp", err)
			}
			for _, flag := range c.has {
				if !strings.Contains(out.String(), flag) {
					t.Errorf("%s is missing in\n%s", flag, &out)
				}
			}
			for _, flag := range c.lack {
				if strings.Contains(out.String(), flag+"=") || strings.Contains(out.String(), flag+" ") {
					t.Errorf("%s is in\n%s", flag, &out)
				}
			}
		})
	}
}

// Variables that are set for a server on the same machine do not concern a command
// without such a flag.
func TestCommandsIgnoreVariablesOfOtherCommands(t *testing.T) {
	for name, value := range map[string]string{
		"CHIRP_RATE_LIMIT": "nonsense", "CHIRP_DEMO": "true", "CHIRP_TOKEN_SECRET": "short", "CHIRP_MAX_PAGE": "0",
		"CHIRP_TRUSTED_DOCUMENTS_ONLY": "true", "CHIRP_OIDC_ISSUER": "nonsense", "CHIRP_SOCKETS_PER_USER": "-1",
		"CHIRP_CELEBRITY_THRESHOLD": "20", "CHIRP_DATA": "kept",
	} {
		t.Setenv(name, value)
	}
	for _, args := range [][]string{{"verify"}, {"rebuild"}, {"export"}, {"import", "log.jsonl"}, {"version"}, {"--log-level", "debug", "verify"}} {
		got, err := Parse(args, nil)
		if err != nil || args[0] == "rebuild" && got.CelebrityThreshold != 20 || args[0] != "version" && got.Data != "kept" {
			t.Errorf("%q: got %+v, error %v; want its own variables heeded and the others ignored", args, got, err)
		}
	}
	if _, err := Parse([]string{"serve"}, nil); err == nil {
		t.Error("serve: got no error, want one")
	}
}

func TestFlagsOfOtherCommandsAreRefused(t *testing.T) {
	for flag, args := range map[string][]string{
		"--rate-limit":          {"verify", "--rate-limit", "5"},
		"--addr":                {"--addr", "localhost:1", "export"},
		"--celebrity-threshold": {"verify", "--celebrity-threshold", "5"},
		"--max-cost":            {"rebuild", "--max-cost", "5"},
		"--sample":              {"serve", "--sample", "5"},
		"--data":                {"version", "--data", "x"},
	} {
		if _, err := Parse(args, nil); err == nil || !strings.Contains(err.Error(), flag) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got error %v, want one line about %s", args, err, flag)
		}
	}
}

func TestDurationsInJSONHaveTheirUnit(t *testing.T) {
	var out bytes.Buffer
	log := Config{LogFormat: "json", LogLevel: "info"}.logger(&out)
	log.Info("x", "wait", 1500*time.Millisecond, slog.Group("inner", "age", time.Minute), "n", 5)
	log.With("every", time.Second).Info("y")
	first, second, _ := strings.Cut(out.String(), "\n")
	var got struct {
		Wait  any
		N     any
		Inner struct{ Age any }
	}
	if err := json.Unmarshal([]byte(first), &got); err != nil || got.Wait != "1.5s" || got.Inner.Age != "1m0s" || got.N != 5.0 {
		t.Errorf("got %+v, error %v; want 1.5s, 1m0s and 5", got, err)
	}
	if !strings.Contains(second, `"every":"1s"`) {
		t.Errorf("got %s, want 1s", second)
	}
}

// The error is about the number, not about an unknown flag.
func TestNegativeNumbersAreRefusedAsNumbers(t *testing.T) {
	for want, args := range map[string][]string{
		"--sample: -1 is less than 0; give a number of users, or 0 for all": {"verify", "--sample", "-1"},
		"--rate-limit: -1.5 is less than 0":                                 {"--rate-limit", "-1.5"},
		"--max-page: -3 is less than 1":                                     {"serve", "--max-page", "-3"},
		"--celebrity-threshold: -7 is less than 1":                          {"rebuild", "--celebrity-threshold", "-7"},
	} {
		if _, err := Parse(args, nil); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
		joined := slices.Concat(args[:len(args)-2], []string{args[len(args)-2] + "=" + args[len(args)-1]})
		if _, err := Parse(joined, nil); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %q", joined, err, want)
		}
	}
	got, err := Parse([]string{"verify", "--sample", "12", "--seed", "3"}, nil)
	if err != nil || got.Verify.Sample != 12 || got.Verify.Seed != 3 {
		t.Errorf("got %+v, error %v; want the numbers that were given", got.Verify, err)
	}
}
