package archtest

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"
)

func TestImportArrows(t *testing.T) {
	bad, err := Check(os.DirFS("../.."), Arrows)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bad {
		t.Error(line)
	}
}

func TestCheckFindsForbiddenImports(t *testing.T) {
	file := func(src string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(src)} }
	tree := fstest.MapFS{
		"root.go":              file("package qrun\nimport (\"fmt\"; \"github.com/qrun-onnx/qrun/a\")"),
		"a/a.go":               file("package a\nimport \"github.com/qrun-onnx/qrun/b\""),
		"a/a_test.go":          file("package a\nimport (\"pgregory.net/rapid\"; \"golang.org/x/sys/cpu\")"),
		"b/b.go":               file("package b\nimport (\"github.com/qrun-onnx/qrun\"; \"golang.org/x/sys/cpu\")"),
		"b/c.go":               file("package b\nimport \"C\""),
		"b/testdata/x.go":      file("not Go"),
		"new/n.go":             file("package n"),
		"nested/go.mod":        file("module other"),
		"nested/x.go":          file("package x\nimport \"example.com/anything\""),
		".hidden/x.go":         file("package x\nimport \"example.com/anything\""),
		"a/deep/below/deep.go": file("package deep\nimport \"example.com/lib/sub\""),
	}
	rules := []Rule{
		{".", []string{"a"}},
		{"a", []string{"b"}},
		{"a/deep/...", []string{"example.com/lib/..."}},
		{"b", []string{"golang.org/x/sys/cpu"}},
	}
	got, err := Check(tree, rules)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a/a_test.go: a may not import golang.org/x/sys/cpu",
		"b/b.go: b may not import .",
		"b/c.go: b may not import C",
		"new/n.go: no rule covers folder \"new\"",
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
