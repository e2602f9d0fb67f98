package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qrun-onnx/qrun"
)

const docs = "../../docs"

// TestGeneratedDocs compares the parts of docs that are made from the program, between "<!-- NAME -->" and
// "<!-- end -->", with what the program makes; -update writes them.
func TestGeneratedDocs(t *testing.T) {
	operators, err := operatorTables()
	if err != nil {
		t.Fatal(err)
	}
	replaceParts(t, filepath.Join(docs, "operators.md"), operators)
	parts := map[string]string{"passes": passTable()}
	root := (&env{}).root()
	for _, c := range root.Commands() {
		if c.Name() != "help" && c.Name() != "completion" {
			parts["flags "+c.Name()] = flagTable(c)
		}
	}
	replaceParts(t, filepath.Join(docs, "cli.md"), parts)
}

func replaceParts(t *testing.T, path string, parts map[string]string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(old)
	for name, part := range parts {
		begin := "<!-- " + name + " -->\n"
		head, rest, ok := strings.Cut(text, begin)
		_, tail, ok2 := strings.Cut(rest, "<!-- end -->")
		if !ok || !ok2 {
			t.Errorf("%s: no part %q", path, name)
			continue
		}
		text = head + begin + part + "<!-- end -->" + tail
	}
	if text == string(old) {
		return
	}
	if !*update {
		t.Errorf("%s is not what the program says: run go test ./cmd/qrun -run TestGeneratedDocs -update", path)
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func flagTable(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| flag | default | meaning |\n|---|---|---|\n")
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		def := f.DefValue
		if def == "false" || def == "[]" {
			def = ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, strings.Trim(def, "[]"), strings.NewReplacer("|", `\|`, "*", `\*`).Replace(f.Usage))
	})
	return b.String()
}

func passTable() string {
	var b strings.Builder
	b.WriteString("| pass | what it does |\n|---|---|\n")
	for _, p := range qrun.Passes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.Name, p.Doc)
	}
	return b.String()
}

// operatorTables has one table per domain; ai.onnx is the domain without a name.
func operatorTables() (map[string]string, error) {
	list, err := qrun.Operators()
	if err != nil {
		return nil, err
	}
	tables, count := map[string]string{}, map[string]int{}
	for _, o := range list {
		name := "operators of " + o.Domain
		if o.Domain == "" {
			name = "operators of ai.onnx"
		}
		if tables[name] == "" {
			tables[name] = "| operator | versions | element types |\n|---|---|---|\n"
		}
		tables[name] += fmt.Sprintf("| %s | %s | %s |\n", o.Name, strings.ReplaceAll(strings.Trim(fmt.Sprint(o.Since), "[]"), " ", ", "), strings.Join(o.Types, ", "))
		count[name]++
	}
	for name := range tables {
		tables[name] = fmt.Sprintf("%d operators.\n\n", count[name]) + tables[name]
	}
	return tables, nil
}

// TestDocumentedCommands runs the commands of "console" blocks in README.md and docs, those of qrun, and compares what
// they print with what the documents say they do, but for numbers and the names of processors and kernels.
func TestDocumentedCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Chdir("../..")
	seen := map[string]bool{}
	for _, file := range documentFiles(t) {
		for _, c := range documentedCommands(t, file) {
			if seen[c.line+c.output] {
				continue
			}
			seen[c.line+c.output] = true
			t.Run(c.line, func(t *testing.T) { c.check(t) })
		}
	}
}

// documentFiles lists README.md and the documents, from the module's root.
func documentFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return append(files, "README.md", "models/README.md")
}

// documentedCommand is a line after "$ " and the lines that follow.
type documentedCommand struct{ file, line, output string }

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

func documentedCommands(t *testing.T, file string) (list []documentedCommand) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		if block[1] != "console" {
			continue
		}
		for _, part := range strings.Split("\n"+block[2], "\n$ ")[1:] {
			line, output, _ := strings.Cut(part, "\n")
			if rest, ok := strings.CutPrefix(line, "go run ./cmd/qrun "); ok {
				line = "qrun " + rest
			}
			if strings.HasPrefix(line, "qrun ") {
				list = append(list, documentedCommand{file, line, output})
			}
		}
	}
	return list
}

func (c documentedCommand) check(t *testing.T) {
	var stdout, stderr bytes.Buffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}
	e.main(shellWords(c.line)[1:])
	got := strings.Split(stdout.String()+stderr.String(), "\n")
	for _, want := range strings.Split(strings.TrimSpace(c.output), "\n") {
		if want == "" || strings.Contains(want, "...") && strings.Trim(want, ". ") == "" {
			continue
		}
		for len(got) > 0 && !sameButNumbers(got[0], want) {
			got = got[1:]
		}
		if len(got) == 0 {
			t.Fatalf("%s says %q\n%s\n%s", c.file, want, &stdout, &stderr)
		}
		got = got[1:]
	}
}

var (
	varying = regexp.MustCompile(`-?\d+(\.\d+)?(e[+-]?\d+)?|amx|avx512vnni|avxvnni|avx512|avx2|scalar|faster|slower|threads?|µs|ms|\binf\b`)
	filling = regexp.MustCompile(`[ |+-]+`)
)

// sameButNumbers reports whether the lines are equal but for what differs from run to run. A documented line that ends
// in "..." is the beginning of one.
func sameButNumbers(got, want string) bool {
	plain := func(s string) string {
		return strings.TrimSpace(filling.ReplaceAllString(varying.ReplaceAllString(s, "#"), " "))
	}
	if begin, ok := strings.CutSuffix(want, " …"); ok {
		return strings.HasPrefix(plain(got), plain(begin))
	}
	return plain(got) == plain(want)
}

// shellWords splits a command line at spaces, but for those in single quotes.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}
