package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var codeSpan = regexp.MustCompile("`[^`\n]*`")

var mdLink = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

// TestDocumentLinks follows the links inside the repository.
func TestDocumentLinks(t *testing.T) {
	t.Chdir("../..")
	for _, file := range append(documentFiles(t), "CHANGELOG.md", "models/digits/README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mdLink.FindAllStringSubmatch(codeSpan.ReplaceAllString(fence.ReplaceAllString(string(text), ""), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if path := filepath.Join(filepath.Dir(file), m[1]); !exists(path) {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}

// TestDocumentedGo parses the Go of the documents: whole files, declarations or statements.
func TestDocumentedGo(t *testing.T) {
	t.Chdir("../..")
	for _, file := range documentFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
			if block[1] != "go" {
				continue
			}
			ok := false
			for _, form := range []string{block[2], "package p\n" + block[2], "package p\nfunc f() {\n" + block[2] + "}\n"} {
				_, err := parser.ParseFile(token.NewFileSet(), file, form, parser.SkipObjectResolution)
				ok = ok || err == nil
			}
			if !ok {
				t.Errorf("%s: does not parse:\n%s", file, block[2])
			}
		}
	}
}
