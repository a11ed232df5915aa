package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// commandLine parses a config.
type commandLine struct {
	parser *kong.Kong
	helped bool // something was printed that ends the program
}

func newCommandLine(cfg *Config, out io.Writer) (*commandLine, error) {
	l := &commandLine{}
	parser, err := kong.New(cfg,
		kong.Name("chirp"),
		kong.Description("A self-hosted social-feed server: GraphQL with live subscriptions over an event log."),
		kong.Writers(out, out),
		kong.Exit(func(int) { l.helped = true }),
		kong.Help(l.help),
	)
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	l.parser = parser
	return l, nil
}

// help prints the help of a command with the flags that are for it, or that of
// all.
func (l *commandLine) help(options kong.HelpOptions, parsed *kong.Context) error {
	if l.helped {
		return nil
	}
	if command := parsed.Selected(); command != nil {
		for _, f := range l.parser.Model.Flags {
			f.Hidden = f.Hidden || !isFor(f, command.Name)
		}
	}
	return kong.DefaultHelpPrinter(options, parsed)
}

// isFor reports whether a flag is for a command. One of a single command needs
// no tag.
func isFor(f *kong.Flag, command string) bool {
	commands := f.Tag.Get("for")
	return commands == "" || slices.Contains(strings.Split(commands, ","), command)
}

// ignoreVariables leaves the variables alone that are not for a command. They
// may be set for a server on the same machine.
func (l *commandLine) ignoreVariables(command string) {
	for _, f := range l.parser.Model.Flags {
		if !isFor(f, command) {
			f.Envs, f.Tag.Envs = nil, nil
		}
	}
}

// commandOf returns the command that the arguments name, serve if it cannot be
// told.
func commandOf(args []string) string {
	const none = "serve"
	line, err := newCommandLine(&Config{}, io.Discard)
	if err != nil {
		return none
	}
	line.ignoreVariables("")
	parsed, err := kong.Trace(line.parser, args)
	if err != nil || parsed.Selected() == nil {
		return none
	}
	return parsed.Selected().Name
}

// joinNegatives joins a flag and a negative number behind it, which the parser
// would take for another flag: what is wrong with it is the number.
func joinNegatives(args []string) []string {
	var joined []string
	for i, arg := range args {
		if arg == "--" {
			return append(joined, args[i:]...)
		}
		last := len(joined) - 1
		if _, err := strconv.ParseFloat(arg, 64); err == nil && arg[0] == '-' && last >= 0 && strings.HasPrefix(joined[last], "--") && !strings.Contains(joined[last], "=") {
			joined[last] += "=" + arg
			continue
		}
		joined = append(joined, arg)
	}
	return joined
}

// foreignFlag refuses a flag that the command would ignore.
func foreignFlag(parsed *kong.Context, command string) error {
	for _, step := range parsed.Path {
		if f := step.Flag; f != nil && !isFor(f, command) {
			return fmt.Errorf("--%s: it is for chirp %s, not for chirp %s", f.Name, strings.ReplaceAll(f.Tag.Get("for"), ",", ", "), command)
		}
	}
	return nil
}
