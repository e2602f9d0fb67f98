// Package archtest checks which package may import which. Its test reads the import lines of every Go file of the module
// with go/parser; not through the go command, since the test cache does not see what another process reads.
package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the module.
const Module = "github.com/qrun-onnx/qrun"

// Rule says what the packages of a folder may import besides the standard library. Entries are folders of the module
// ("." is its root) and import paths of other modules; one that ends in /... covers what is below it too.
type Rule struct {
	Dir   string
	Allow []string
}

// Arrows are the rules; the first whose Dir covers a folder counts. A folder that none covers is an error.
var Arrows = []Rule{
	{"tensor", []string{"github.com/x448/float16"}},
	{"onnx", []string{"tensor", "internal/filemap", "google.golang.org/protobuf/..."}},
	{"graph", []string{"onnx", "tensor", "internal/par"}},
	{"ops/dynquant", []string{"ops", "graph", "tensor", "backend", "internal/par"}},
	{"ops", []string{"graph", "tensor", "backend", "internal/par"}},
	{"backend/onnxgo", []string{".", "onnx", "tensor", "github.com/owulveryck/onnx-go/...", "gonum.org/v1/gonum/graph/...", "gorgonia.org/tensor"}},
	{"backend/asm/...", []string{"backend/asm/...", "golang.org/x/sys/cpu"}},
	{"backend", []string{"backend/asm/...", "github.com/x448/float16"}},
	{"internal/par", nil},
	{"internal/filemap", []string{"golang.org/x/sys/..."}},
	{"internal/packcache", []string{"internal/filemap"}},
	{"internal/archtest", nil},
	{"internal/hammer", nil},
	{"internal/modeltest", []string{"onnx", "tensor"}},
	{"internal/accuracy", []string{"tensor"}},
	{"internal/onnxtest", []string{".", "onnx", "tensor", "internal/accuracy", "github.com/ulikunitz/xz"}},
	{".", []string{"ops", "ops/dynquant", "graph", "onnx", "tensor", "backend", "internal/par", "internal/accuracy", "internal/packcache"}},
	{"cmd/...", []string{".", "onnx", "tensor", "internal/accuracy", "internal/onnxtest", "models/...", "github.com/spf13/cobra",
		"github.com/spf13/pflag", "github.com/sbinet/npyio/...", "github.com/olekukonko/tablewriter/...",
		"github.com/schollz/progressbar/v3", "golang.org/x/image/...", "golang.org/x/term", "gonum.org/v1/plot/..."}},
	{"models/...", []string{".", "onnx", "tensor", "internal/accuracy", "internal/onnxtest", "models/...", "github.com/sbinet/npyio/...",
		"github.com/olekukonko/tablewriter/...", "github.com/schollz/progressbar/v3", "golang.org/x/image/...", "golang.org/x/term",
		"gonum.org/v1/plot/..."}},
	{"examples/...", []string{".", "onnx", "tensor", "models/...", "github.com/sbinet/npyio/...", "golang.org/x/image/..."}},
}

// TestOnly are the imports that test files may have anywhere, besides those of their folder.
var TestOnly = []string{"onnx", "internal/hammer", "internal/modeltest", "internal/onnxtest", "internal/accuracy", "github.com/google/go-cmp/...",
	"pgregory.net/rapid", "github.com/rogpeppe/go-internal/...", "github.com/ulikunitz/xz"}

// Check reads the Go files under root and returns one line for each import that the rules do not allow.
func Check(root fs.FS, rules []Rule) ([]string, error) {
	var bad []string
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, name, d)
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		lines, err := checkFile(root, name, rules)
		bad = append(bad, lines...)
		return err
	})
	return bad, err
}

// enter skips what is no part of the module: hidden folders, test data, and modules inside it.
func enter(root fs.FS, name string, d fs.DirEntry) error {
	if name == "." {
		return nil
	}
	if strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func checkFile(root fs.FS, name string, rules []Rule) ([]string, error) {
	src, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(name), src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	dir := path.Dir(name)
	at := slices.IndexFunc(rules, func(r Rule) bool { return covers(r.Dir, dir) })
	if at < 0 {
		return []string{fmt.Sprintf("%s: no rule covers folder %q", name, dir)}, nil
	}
	allow := rules[at].Allow
	if strings.HasSuffix(name, "_test.go") {
		// A test sees what lies below its package, and an external one its own package.
		allow = slices.Concat(allow, TestOnly, []string{dir, path.Join(dir, "...")})
	}
	var bad []string
	for _, imp := range file.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return nil, err
		}
		if target, ok := imported(p); ok && !slices.ContainsFunc(allow, func(a string) bool { return covers(a, target) }) {
			bad = append(bad, fmt.Sprintf("%s: %s may not import %s", name, dir, target))
		}
	}
	return bad, nil
}

// imported is an import path as the rules write it; ok is false for the standard library.
func imported(p string) (target string, ok bool) {
	if p == Module {
		return ".", true
	}
	if dir, ours := strings.CutPrefix(p, Module+"/"); ours {
		return dir, true
	}
	first, _, _ := strings.Cut(p, "/")
	return p, strings.Contains(first, ".") || p == "C"
}

func covers(pattern, p string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == base || strings.HasPrefix(p, base+"/")
	}
	return p == pattern
}
