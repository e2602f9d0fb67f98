package qrun_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/qrun-onnx/qrun"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// cacheModel is a model with products of both forms, a table, and a weight that int8 splits.
func cacheModel(seed uint64) *onnx.Model {
	w := normal(seed, 96*320)
	w[5000] = 60
	return mt.Model(mt.Graph(mt.In("x", mt.Spec(tensor.Int64, "b")), mt.Out("y"), mt.Init("t", normal(2, 600*96), 600, 96), mt.Init("w", w, 96, 320),
		mt.Init("v", normal(3, 64*320), 64, 320), mt.Init("c", normal(4, 64), 64),
		mt.Node("Gather@g", "t x", "e"), mt.Node("MatMul@m", "e w", "h"), mt.Node("Gemm@n", "h v c", "y", mt.At("transB", 1))))
}

var cacheInput = qrun.Tensors{"x": mt.Tensor([]int64{3, 599, 0, 17, 4}, 5)}

// packFiles are the caches in a directory.
func packFiles(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func openModel(t *testing.T, path string, o qrun.Options) []byte {
	t.Helper()
	s, err := qrun.Open(path, &o)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC() // what only the cache's mapping holds has to be held by the session
	return outputsOf(t, s, cacheInput)["y"].Bytes()
}

// TestPackCache: a session from a cache computes the same bits, the cache is used and not written again, and each use of
// a model has its own.
func TestPackCache(t *testing.T) {
	dir, path := filepath.Join(t.TempDir(), "made", "cache"), filepath.Join(t.TempDir(), "m.onnx")
	if err := cacheModel(1).Save(path); err != nil {
		t.Fatal(err)
	}
	uses := []qrun.Options{{}, {Quantize: qrun.Dynamic}, {Quantize: qrun.Dynamic, Profile: qrun.ONNX}, {Quantize: qrun.FP16}}
	if qrun.Environment().Backend != "scalar" {
		uses = append(uses, qrun.Options{Backend: "scalar"})
	}
	for i, o := range uses {
		want := openModel(t, path, o)
		o.CacheDir = dir
		known := packFiles(t, dir)
		if got := openModel(t, path, o); !bytes.Equal(got, want) {
			t.Errorf("%+v: the session that fills the cache computes something else", o)
		}
		files := packFiles(t, dir)
		if len(files) != i+1 {
			t.Fatalf("%+v: %d caches, want %d", o, len(files), i+1)
		}
		for _, f := range files {
			if slices.Contains(known, f) {
				continue
			}
			checkCache(t, path, o, f, want)
		}
	}
}

// checkCache loads from a cache as it is, and damaged.
func checkCache(t *testing.T, path string, o qrun.Options, file string, want []byte) {
	t.Helper()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := openModel(t, path, o); !bytes.Equal(got, want) {
		t.Errorf("%+v: the session from the cache computes something else", o)
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("%+v: the cache was not used", o)
	}
	for name, bad := range map[string][]byte{"empty": nil, "cut": whole[:len(whole)/2], "header": append([]byte{1}, whole[1:]...),
		"entry": append(whole[:len(whole)*2/3:len(whole)*2/3], bytes.Repeat([]byte{0x55}, len(whole)-len(whole)*2/3)...)} {
		// Renamed into place, as a mapped file must not be written over.
		if err := os.WriteFile(file+"~", bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+"~", file); err != nil {
			t.Fatal(err)
		}
		if got := openModel(t, path, o); !bytes.Equal(got, want) {
			t.Errorf("%+v: a damaged cache (%s) changed the result", o, name)
		}
		if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, whole) {
			t.Errorf("%+v: a damaged cache (%s) was not made again", o, name)
		}
	}
}

// TestPackCacheOfChangedModel: other contents of the same file, of the same size, use nothing of the old cache.
func TestPackCacheOfChangedModel(t *testing.T) {
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "m.onnx")
	o := qrun.Options{Quantize: qrun.Dynamic}
	cached := o
	cached.CacheDir = dir
	for _, seed := range []uint64{1, 9} {
		if err := cacheModel(seed).Save(path); err != nil {
			t.Fatal(err)
		}
		want := openModel(t, path, o)
		for range 2 {
			if got := openModel(t, path, cached); !bytes.Equal(got, want) {
				t.Errorf("model %d: the cache changed the result", seed)
			}
		}
	}
	// A model in memory has a cache as well, and a message has none.
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := openModel(t, path, o)
	for range 2 {
		s, err := qrun.Load(data, &cached)
		if err != nil {
			t.Fatal(err)
		}
		if got := outputsOf(t, s, cacheInput)["y"].Bytes(); !bytes.Equal(got, want) {
			t.Error("from memory: the cache changed the result")
		}
	}
	if got := outputsOf(t, sessionOf(t, cacheModel(9).Proto, &cached), cacheInput)["y"].Bytes(); !bytes.Equal(got, want) {
		t.Error("from a message: the cache changed the result")
	}
}

// TestPackCacheAtOnce loads one model several times at once, where the cache cannot be made, too.
func TestPackCacheAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := cacheModel(1).Save(path); err != nil {
		t.Fatal(err)
	}
	want := openModel(t, path, qrun.Options{Quantize: qrun.Dynamic})
	for _, dir := range []string{t.TempDir(), path} { // a file is no directory
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				s, err := qrun.Open(path, &qrun.Options{Quantize: qrun.Dynamic, CacheDir: dir})
				if err != nil {
					t.Error(err)
					return
				}
				out, err := s.Run(t.Context(), cacheInput)
				if err != nil || !bytes.Equal(out["y"].Bytes(), want) {
					t.Errorf("loading at once computes something else: %v", err)
				}
			})
		}
		all.Wait()
	}
}
