// Command qrun runs ONNX models, quantizes them while loading, and shows what that does to answers, speed and size.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
)

// Exit codes, the same for every command.
const (
	exitOK      = 0
	exitFailure = 1 // could not do it
	exitUsage   = 2 // the command line is wrong
	exitOutside = 3 // done, and the result is outside the tolerance
)

// usageError is an error of the command line.
type usageError struct{ error }

func usagef(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// outsideError says that the work was done and its result is outside the limits; the report has said how.
type outsideError struct{ error }

// env is what a command reads and writes besides files.
type env struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	e := &env{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	code := e.main(os.Args[1:])
	stop()
	os.Exit(code)
}

// main runs one command line and returns the exit code.
func (e *env) main(args []string) int {
	if os.Getenv(workerVariable) != "" {
		if err := e.serveWorker(); err != nil {
			fmt.Fprintln(e.stderr, "qrun:", err)
			return exitFailure
		}
		return exitOK
	}
	root := e.root()
	args, err := chooseCommand(root, args)
	if err == nil {
		root.SetArgs(args)
		err = root.ExecuteContext(e.ctx)
	}
	if err == nil {
		return exitOK
	}
	var usage usageError
	var outside outsideError
	var option *qrun.OptionError
	switch {
	case errors.As(err, &outside):
		fmt.Fprintln(e.stderr, "qrun:", err)
		return exitOutside
	case errors.As(err, &usage), errors.As(err, &option):
		fmt.Fprintln(e.stderr, "qrun:", err)
		return exitUsage
	}
	fmt.Fprintln(e.stderr, "qrun:", err)
	return exitFailure
}

func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "qrun MODEL [flags]",
		Short: "Run ONNX models, quantized to int8 while loading, without cgo",
		Long: `qrun runs ONNX models and quantizes them to int8 while loading.

  qrun model.onnx --quantize dynamic    the float32 and the int8 answer, how close, how much faster and smaller

The first word is a command if it names one, else a model: ./inspect for a file of that name.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		Version:       qrun.Environment().Version,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(e.runCommand(), e.inspectCommand(), e.benchCommand(), e.compareCommand(), e.explainCommand(),
		e.verifyCommand(), e.opsCommand(), e.envCommand())
	return root
}

// chooseCommand puts "run" in front when the first word that is no flag names a file and no command.
func chooseCommand(root *cobra.Command, args []string) ([]string, error) {
	args = joinProfile(args, commandNames(root))
	first := firstWord(root, args)
	if first < 0 {
		return args, nil
	}
	word := args[first]
	if first > 0 && args[first-1] == "--" {
		return append([]string{"run"}, args...), nil
	}
	names := commandNames(root)
	if slices.Contains(names, word) {
		return args, nil
	}
	if strings.ContainsAny(word, `/\.`) || exists(word) {
		return append([]string{"run"}, args...), nil
	}
	if near := nearest(word, append(names, modelsIn(".")...)); near != "" {
		return nil, usagef("%q is neither a command nor a file; did you mean %q?", word, near)
	}
	return nil, usagef("%q is neither a command nor a file (commands: %s)", word, strings.Join(slices.DeleteFunc(names, hidden), ", "))
}

func hidden(command string) bool { return strings.HasPrefix(command, "_") }

func commandNames(root *cobra.Command) []string {
	names := []string{"help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// firstWord is the index of the first argument that is neither a flag nor a flag's value, or that follows "--"; -1 when
// there is none.
func firstWord(root *cobra.Command, args []string) int {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" && i+1 < len(args) {
			return i + 1
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			return i
		}
		if !strings.Contains(a, "=") && takesValue(root, a) {
			i++
		}
	}
	return -1
}

// takesValue reports whether a flag of any command takes the next argument as its value.
func takesValue(root *cobra.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	for _, c := range root.Commands() {
		f := c.Flags().Lookup(name)
		if f == nil && len(name) == 1 && !strings.HasPrefix(arg, "--") {
			f = c.Flags().ShorthandLookup(name)
		}
		if f != nil {
			return f.NoOptDefVal == ""
		}
	}
	return false
}

// modelsIn lists the models of a folder; a folder that cannot be read has none.
func modelsIn(dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil {
		return nil
	}
	return files
}

// nearest is the word with the smallest edit distance, when that is at most two.
func nearest(word string, words []string) string {
	best, at := 3, ""
	for _, w := range words {
		if d := distance(word, w); d < best {
			best, at = d, w
		}
	}
	return at
}

// distance is the number of insertions, deletions and replacements that turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// oneModel is the argument check of commands that take one model.
func oneModel(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return usagef("want a model, got none")
	case 1:
		return nil
	}
	return usagef("want one model, got %d: %s", len(args), strings.Join(args, " "))
}

// noArgs is the argument check of commands that take flags alone.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) != 0 {
		return usagef("%s takes no argument, got %q", c.CommandPath(), args[0])
	}
	return nil
}

// flagError says what is wrong with a flag without the name of the function that parsed it.
func flagError(_ *cobra.Command, err error) error {
	text := err.Error()
	for _, f := range []string{"strconv.Atoi: ", "strconv.ParseInt: ", "strconv.ParseUint: ", "strconv.ParseFloat: ", "strconv.ParseBool: ", "time: "} {
		text = strings.ReplaceAll(text, f, "")
	}
	return usagef("%s", text)
}

// open loads a model and puts the file's name before the error.
func open(path string, o *qrun.Options) (*qrun.Session, error) {
	s, err := qrun.Open(path, o)
	if err != nil {
		return nil, inFile(path, err)
	}
	return s, nil
}

// inFile puts the name of a file before an error about it, where the error does not say it itself.
func inFile(path string, err error) error {
	var p *os.PathError
	switch {
	case errors.As(err, &p) && p.Path == path:
		if near := nearest(filepath.Clean(path), modelsIn(filepath.Dir(path))); near != "" && errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s: %w; did you mean %q?", path, p.Err, near)
		}
		return fmt.Errorf("%s: %w", path, p.Err)
	case strings.HasPrefix(err.Error(), path+": "):
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
