package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what is generated: expected outputs in testdata/script and parts of docs")

const digits = "../../models/digits"

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" { // started by verify in a test
		main()
	}
	testscript.Main(m, map[string]func(){"qrun": main})
}

// TestScripts runs whole commands. Each script starts in a folder with the digits models and their test set, and the
// models of tinyModels.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup:         setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":     exitCode,
			"document": checkDocument,
			"trace":    checkTrace,
		},
	})
}

func setup(e *testscript.Env) error {
	e.Setenv("GOMAXPROCS", "2")
	for _, name := range []string{"mlp.onnx", "attention.onnx", "images.npy", "labels.npy"} {
		data, err := os.ReadFile(filepath.Join(digits, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(e.WorkDir, name), data, 0o644); err != nil {
			return err
		}
	}
	return writeTinyModels(e.WorkDir)
}

// exitCode is the script command "code N qrun ARGS...": the command has to end with exit code N. Whatever it says about
// an error is one line that begins with its name, or a line and indented ones that continue it.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if want == exitFailure || want == exitUsage {
		if out := ts.ReadFile("stdout"); out != "" {
			ts.Fatalf("an error, and yet stdout has %q", out)
		}
		if err := oneError(ts.ReadFile("stderr")); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}

func oneError(text string) error {
	for i, line := range splitLines(text) {
		if first := i == 0; first != (len(line) > 6 && line[:6] == "qrun: ") || !first && line[:2] != "  " {
			return fmt.Errorf("want one error, got %q", text)
		}
	}
	return nil
}
