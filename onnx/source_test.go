package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/qrun-onnx/qrun/tensor"
)

// externalModel has one float32 tensor "w" of n elements; keys and values of its external data follow.
func externalModel(n int, kv ...string) *ModelProto {
	p := &TensorProto{Name: new("w"), DataType: new(int32(TensorProto_FLOAT)), Dims: []int64{int64(n)}, DataLocation: TensorProto_EXTERNAL.Enum()}
	for i := 0; i < len(kv); i += 2 {
		p.ExternalData = append(p.ExternalData, &StringStringEntryProto{Key: &kv[i], Value: &kv[i+1]})
	}
	return &ModelProto{Graph: &GraphProto{Initializer: []*TensorProto{p}}}
}

func weight(m *Model) (*tensor.Tensor, error) { return m.Tensor(m.Proto.Graph.Initializer[0]) }

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// floats are the little-endian bytes of 0, 1, 2, ... after a header of 4 bytes.
func floats(t testing.TB, n int) []byte {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i)
	}
	p, err := NewTensorProto("", mustOf(t, v, n))
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte("head"), p.RawData...)
}

// sources opens the same model each of the ways that can find external data.
var sources = map[string]func(dir, name string) (*Model, error){
	"Open":  func(dir, name string) (*Model, error) { return Open(filepath.Join(dir, name)) },
	"DirFS": func(dir, name string) (*Model, error) { return OpenFS(os.DirFS(dir), name) },
	"MapFS": func(dir, name string) (*Model, error) {
		files := fstest.MapFS{}
		err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				data, _ := os.ReadFile(filepath.Join(dir, p))
				files[p] = &fstest.MapFile{Data: data}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		return OpenFS(files, name)
	},
}

func TestExternalData(t *testing.T) {
	for _, n := range []int{3, 1 << 15} { // read, mapped
		dir := t.TempDir()
		data := floats(t, n)
		write(t, filepath.Join(dir, "sub", "weights.bin"), data)
		write(t, filepath.Join(dir, "sub", "m.onnx"), marshal(t, externalModel(n, "location", "./weights.bin", "offset", "4", "length", fmt.Sprint(4*n), "checksum", "?")))
		write(t, filepath.Join(dir, "up.onnx"), marshal(t, externalModel(n, "location", "sub/weights.bin", "offset", "4")))
		for how, open := range sources {
			for _, name := range []string{"sub/m.onnx", "up.onnx"} {
				m, err := open(dir, name)
				if err != nil {
					t.Fatal(err)
				}
				w, err := weight(m)
				if err != nil {
					t.Errorf("%s %s: %v", how, name, err)
					continue
				}
				if got := tensor.View[float32](w); got[0] != 0 || got[n-1] != float32(n-1) {
					t.Errorf("%s %s: got %v ... %v", how, name, got[0], got[n-1])
				}
				m.Source().ReleasePages()
				if err := m.EmbedExternal(); err != nil {
					t.Fatal(err)
				}
				one := filepath.Join(t.TempDir(), "one.onnx")
				if err := m.Save(one); err != nil {
					t.Fatal(err)
				}
				alone, err := Open(one)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := weight(alone); err != nil || !sameValue(again, w) {
					t.Errorf("%s %s: embedded and saved: %v, %v", how, name, again, err)
				}
			}
		}
		m, err := Decode(marshal(t, externalModel(n, "location", "weights.bin", "offset", "4")), WithExternalData(os.DirFS(dir), "sub"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := weight(m); err != nil {
			t.Errorf("decoded with a file system: %v", err)
		}
	}
}

func TestExternalDataTraps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	write(t, filepath.Join(dir, "w.bin"), floats(t, 2))
	write(t, filepath.Join(dir, "..", "secret.bin"), floats(t, 2))
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	absolute := filepath.Join(dir, "w.bin")
	cases := []struct {
		name, want string
		kv         []string
	}{
		{"no location", "no location", []string{"offset", "0"}},
		{"parent", "inside the model's directory", []string{"location", "../secret.bin"}},
		{"parent in the middle", "inside the model's directory", []string{"location", "folder/../w.bin"}},
		{"absolute", "inside the model's directory", []string{"location", absolute}},
		{"drive", "inside the model's directory", []string{"location", `C:\w.bin`}},
		{"backslash", "inside the model's directory", []string{"location", `..\secret.bin`}},
		{"null byte", "inside the model's directory", []string{"location", "w.bin\x00"}},
		{"the directory", "inside the model's directory", []string{"location", "."}},
		{"a folder", `external data "folder"`, []string{"location", "folder"}},
		{"missing", `external data "none.bin"`, []string{"location", "none.bin"}},
		{"negative offset", `offset is "-4"`, []string{"location", "w.bin", "offset", "-4"}},
		{"offset of text", `offset is "x"`, []string{"location", "w.bin", "offset", "x"}},
		{"length of 2^64", "length is", []string{"location", "w.bin", "length", "18446744073709551616"}},
		{"length past the end", "9 bytes at offset 4 do not fit the file's 12 bytes", []string{"location", "w.bin", "offset", "4", "length", "9"}},
		{"offset past the end", "at offset 13", []string{"location", "w.bin", "offset", "13"}},
		{"sum that overflows", "do not fit", []string{"location", "w.bin", "offset", "9223372036854775807", "length", "9223372036854775807"}},
		{"wrong size", "float32[2] takes 8 bytes, got 12", []string{"location", "w.bin"}},
	}
	if runtime.GOOS != "windows" {
		for link, target := range map[string]string{"out": "../secret.bin", "abs": absolute, "loop": "loop", "dir": "..", "inside": "w.bin"} {
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		for _, location := range []string{"out", "abs", "loop", "dir/secret.bin"} {
			cases = append(cases, struct {
				name, want string
				kv         []string
			}{"link " + location, `external data "` + location, []string{"location", location}})
		}
		write(t, filepath.Join(dir, "link.onnx"), marshal(t, externalModel(2, "location", "inside", "offset", "4")))
		for _, how := range []string{"Open", "DirFS"} {
			m, err := sources[how](dir, "link.onnx")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := weight(m); err != nil {
				t.Errorf("%s: a link inside the directory: %v", how, err)
			}
		}
	}
	for _, c := range cases {
		write(t, filepath.Join(dir, "m.onnx"), marshal(t, externalModel(2, c.kv...)))
		for how, open := range sources {
			m, err := open(dir, "m.onnx")
			if err != nil {
				t.Fatal(err)
			}
			if v, err := weight(m); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `tensor "w"`) {
				t.Errorf("%s, %s: %v, %v, want an error with %q and the name", c.name, how, v, err, c.want)
			}
			if err := m.EmbedExternal(); err == nil && c.name != "wrong size" {
				t.Errorf("%s, %s: embedded", c.name, how)
			}
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	if _, err := Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("directory: %v", err)
	}
	if _, err := OpenFS(os.DirFS(dir), "../m.onnx"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("path out of the file system: %v", err)
	}
	for _, data := range [][]byte{{}, bytes.Repeat([]byte{0xff}, 1<<17)} {
		write(t, path, data)
		if _, err := Open(path); !errors.Is(err, ErrFormat) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%d bytes: %v, want ErrFormat and the path", len(data), err)
		}
	}
}

// bigModel has one tensor of more than minMapped bytes.
func bigModel() *ModelProto {
	return &ModelProto{Graph: &GraphProto{Initializer: []*TensorProto{rawTensor("w", strings.Repeat("abcd", minMapped))}}}
}

// A model may be saved over the file that it is a view of; a failed save leaves nothing behind.
func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	want := marshal(t, bigModel())
	write(t, path, want)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m.Proto.ProducerName = new("changed")
	for range 2 {
		if err := m.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	back, err := Open(path)
	if err != nil || !proto.Equal(back.Proto, m.Proto) {
		t.Errorf("saved over itself: %v", err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want that of the replaced file", info.Mode(), err)
	}
	if err := m.Save(filepath.Join(dir, "none", "m.onnx")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a missing directory: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(filepath.Join(dir, "taken")); err == nil {
		t.Error("saved over a directory")
	}
	if err := (&Model{}).Save(path); err == nil {
		t.Error("saved nothing")
	}
	if err := writeFile(path, func(io.Writer) error { return fs.ErrClosed }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("writer that fails: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left in the directory: %v, %v", entries, err)
	}
	runtime.KeepAlive(m)
}

// The mapping lives as long as a tensor, the model or the source, and not longer.
func TestMappingLifetime(t *testing.T) {
	maps := func() int {
		data, _ := os.ReadFile("/proc/self/maps")
		return strings.Count(string(data), t.Name())
	}
	path := filepath.Join(t.TempDir(), t.Name())
	write(t, path, marshal(t, bigModel()))
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if maps() == 0 {
		t.Skip("files are not mapped here, or it cannot be seen")
	}
	w, err := weight(m)
	if err != nil {
		t.Fatal(err)
	}
	flat, err := w.Reshape(2, w.Len()/2)
	if err != nil {
		t.Fatal(err)
	}
	m.Source().ReleasePages()
	m, w = nil, nil
	for range 3 {
		runtime.GC()
	}
	if n := maps(); n == 0 {
		t.Fatal("the file was unmapped under a tensor")
	}
	if !slices.Equal(flat.Bytes()[:4], []byte("abcd")) {
		t.Errorf("the tensor holds %q", flat.Bytes()[:4])
	}
	runtime.KeepAlive(flat)
	flat = nil
	for wait := time.Now(); maps() > 0; {
		if time.Since(wait) > 10*time.Second {
			t.Fatal("the file stays mapped when nothing refers to it")
		}
		runtime.GC()
	}
}
