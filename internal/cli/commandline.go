package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// commandLine is the parser of a Config.
type commandLine struct {
	parser *kong.Kong
	helped bool // help or the version was printed
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

// help prints the help of the selected command with its own flags only, or that
// of the program.
func (l *commandLine) help(options kong.HelpOptions, parsed *kong.Context) error {
	if l.helped {
		return nil
	}
	if command := parsed.Selected(); command != nil {
		for _, f := range l.parser.Model.Flags {
			f.Hidden = f.Hidden || !isFor(f, topOf(command))
		}
	}
	return kong.DefaultHelpPrinter(options, parsed)
}

// isFor reports whether a flag belongs to a command. A command's own flags have
// no tag.
func isFor(f *kong.Flag, command string) bool {
	commands := f.Tag.Get("for")
	return commands == "" || slices.Contains(strings.Split(commands, ","), command)
}

// ignoreVariables ignores the variables of flags that do not belong to a
// command: they may be set for a server on the same machine.
func (l *commandLine) ignoreVariables(command string) {
	for _, f := range l.parser.Model.Flags {
		if !isFor(f, command) {
			f.Envs, f.Tag.Envs = nil, nil
		}
	}
}

// commandOf returns the command that the arguments name, or serve if they name
// none.
func commandOf(args []string) string {
	const fallback = "serve"
	line, err := newCommandLine(&Config{}, io.Discard)
	if err != nil {
		return fallback
	}
	line.ignoreVariables("")
	parsed, err := kong.Trace(line.parser, args)
	if err != nil || parsed.Selected() == nil {
		return fallback
	}
	return topOf(parsed.Selected())
}

// topOf returns the name of the command that a command is part of, which is its own
// unless it is a part.
func topOf(command *kong.Node) string {
	for command.Parent != nil && command.Parent.Type == kong.CommandNode {
		command = command.Parent
	}
	return command.Name
}

// joinNegatives joins a flag and the negative number after it, which the parser
// would take for another flag. The error is then about the number.
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

// checkFlags refuses a flag that does not belong to the command.
func checkFlags(parsed *kong.Context, command string) error {
	for _, step := range parsed.Path {
		if f := step.Flag; f != nil && !isFor(f, command) {
			return fmt.Errorf("--%s: it is a flag of chirp %s, not of chirp %s", f.Name, strings.ReplaceAll(f.Tag.Get("for"), ",", ", "), command)
		}
	}
	return nil
}
