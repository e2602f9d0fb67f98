package onnxtest

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"
)

// Shared returns a folder of the test material that is kept beside the repository: in the folder that the environment
// variable QRUN_SHARED names, else in a folder "shared" next to the module's root. ok is false when it is not there;
// tests skip then.
func Shared(elem ...string) (path string, ok bool) {
	root := os.Getenv("QRUN_SHARED")
	if root == "" {
		dir, err := moduleRoot()
		if err != nil {
			return "", false
		}
		root = filepath.Join(filepath.Dir(dir), "shared")
	}
	path = filepath.Join(append([]string{root}, elem...)...)
	_, err := os.Stat(path)
	return path, err == nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if isFile(filepath.Join(dir, "go.mod")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}

// maxUnpacked bounds a single file of an archive.
const maxUnpacked = 256 << 20

// Unpack writes the files of a .tar.xz archive below dir.
func Unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	x, err := xz.NewReader(f)
	if err != nil {
		return err
	}
	for t := tar.NewReader(x); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		name := filepath.FromSlash(h.Name)
		if !filepath.IsLocal(name) || h.Size > maxUnpacked {
			return fmt.Errorf("%s: refuses %q of %d bytes", archive, h.Name, h.Size)
		}
		if err := writeFile(filepath.Join(dir, name), t); err != nil {
			return err
		}
	}
}

func writeFile(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Expectations are model folders that must not pass, each with the reason.
type Expectations map[string]string

// ReadExpectations reads a file of lines "FOLDER REASON"; # begins a comment line. The folder may be written with any
// number of its leading parts missing, as test_x for node/test_x.
func ReadExpectations(path string) (Expectations, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	e := Expectations{}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		folder, reason, _ := strings.Cut(line, " ")
		if reason = strings.TrimSpace(reason); reason == "" {
			return nil, fmt.Errorf("%s:%d: %s has no reason", path, i+1, folder)
		}
		e[folder] = reason
	}
	return e, nil
}

// Lookup finds the reason for a case.
func (e Expectations) Lookup(name string) (folder, reason string, ok bool) {
	for part := name; ; {
		if r, ok := e[part]; ok {
			return part, r, true
		}
		i := strings.IndexByte(part, '/')
		if i < 0 {
			return "", "", false
		}
		part = part[i+1:]
	}
}
