package packcache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"unsafe"
)

// packed makes a cache file of two entries for key "key" and returns it with the model that they come from.
func packed(t *testing.T) (path string, model []byte) {
	t.Helper()
	path, model = filepath.Join(t.TempDir(), "x.pack"), bytes.Repeat([]byte("model"), 100)
	c := new(Cache)
	c.Add("", model)
	c.Open(path, "key")
	if b := c.Find(model[10:20], "a"); b != nil {
		t.Fatalf("found %q in no file", b)
	}
	c.Keep(model[10:20], "a", []byte("first "), []byte("entry"))
	c.Keep(model[10:20], "b", bytes.Repeat([]byte{7}, 1000))
	c.Keep([]byte("elsewhere"), "a", []byte("ignored"))
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	return path, model
}

// find reads both entries of a file of packed, "" for one that is not there.
func find(path, key string, model []byte) (a, b string) {
	c := new(Cache)
	c.Add("", model)
	c.Open(path, key)
	x, y := c.Find(model[10:20], "a"), c.Find(model[10:20], "b")
	a, b = string(x), string(y)
	if x != nil && uintptr(unsafe.Pointer(&x[0]))%alignment != 0 {
		a = "not aligned"
	}
	return a, b
}

const wantA = "first entry"

var wantB = string(bytes.Repeat([]byte{7}, 1000))

func TestFindWhatWasKept(t *testing.T) {
	path, model := packed(t)
	if a, b := find(path, "key", model); a != wantA || b != wantB {
		t.Errorf("got %q and %d bytes", a, len(b))
	}
	for _, c := range []struct {
		name, key string
		src       []byte
		recipe    string
	}{{"another key", "other", model[10:20], "a"}, {"another place", "key", model[11:20], "a"}, {"another length", "key", model[10:21], "a"},
		{"another recipe", "key", model[10:20], "c"}, {"other memory", "key", bytes.Clone(model[10:20]), "a"}} {
		x := new(Cache)
		x.Add("", model)
		x.Open(path, c.key)
		if b := x.Find(c.src, c.recipe); b != nil {
			t.Errorf("%s: found %q", c.name, b)
		}
	}
	// A new entry keeps those that were used, and only them.
	c := new(Cache)
	c.Add("", model)
	c.Open(path, "key")
	c.Find(model[10:20], "a")
	c.Keep(model[30:40], "c", []byte("third"))
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	if c.Find(model[10:20], "a") != nil {
		t.Error("found something after Save")
	}
	if a, b := find(path, "key", model); a != wantA || b != "" {
		t.Errorf("after a second save: %q and %d bytes", a, len(b))
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

// TestDamage cuts and changes a file everywhere: what is found is right or nothing.
func TestDamage(t *testing.T) {
	path, model := packed(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte) {
		t.Helper()
		bad := filepath.Join(t.TempDir(), "bad.pack")
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		a, b := find(bad, "key", model)
		if a != "" && a != wantA || b != "" && b != wantB {
			t.Errorf("%s: found %q and %d bytes", what, a, len(b))
		}
		if a == wantA && b == wantB && !bytes.Equal(data[:len(whole)-alignment], whole[:len(whole)-alignment]) {
			t.Errorf("%s: was not noticed", what)
		}
	}
	for n := 0; n < len(whole); n += 37 {
		check(fmt.Sprint("cut at ", n), whole[:n])
	}
	check("longer", append(bytes.Clone(whole), make([]byte, 64)...))
	rng := rand.New(rand.NewPCG(1, 1))
	used := len(whole) - alignment // the last zeros belong to nobody
	for range 300 {
		data := bytes.Clone(whole)
		at := rng.IntN(used)
		if bytes.Equal(data[at:at+1], []byte{0}) && at > len(whole)-1100 {
			continue // padding between the entries
		}
		data[at] ^= 1 << rng.IntN(8)
		check(fmt.Sprint("bit of byte ", at), data)
	}
}

func FuzzParse(f *testing.F) {
	key := "key"
	header, err := headerOf(key, []string{"a"}, map[string][][]byte{"a": {[]byte("x")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(header, make([]byte, alignment)...))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, e := range parse(data, key) {
			if len(e.data) > len(data) {
				t.Fatal("an entry is larger than the file")
			}
		}
	})
}

// TestWritersAndReaders lets processes, here goroutines, write and read one file at once.
func TestWritersAndReaders(t *testing.T) {
	path, model := packed(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 10 {
				if i%2 == 0 {
					if a, b := find(path, "key", model); a != wantA || b != wantB {
						t.Errorf("found %q and %d bytes", a, len(b))
					}
					continue
				}
				if err := write(path, "key", entriesOf(path, model)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func entriesOf(path string, model []byte) map[string][][]byte {
	c := new(Cache)
	c.Add("", model)
	c.Open(path, "key")
	return map[string][][]byte{c.id(model[10:20], "a"): {[]byte(wantA)}, c.id(model[10:20], "b"): {[]byte(wantB)}}
}
