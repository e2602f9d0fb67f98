package filemap

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestMapAndRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	want := bytes.Repeat([]byte("abcdefg"), 10000)
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Map(f, len(want))
	if err != nil {
		t.Skip("files are not mapped here")
	}
	part := m.Data[5000:50000]
	if !m.Holds(part) || m.Holds(want) || m.Holds(nil) || Offset(m.Data, part) != 5000 {
		t.Error("what is in the mapping is not told from what is not")
	}
	for _, b := range [][]byte{part, m.Data, m.Data[:1], m.Data[len(want)-1:]} {
		m.Release(b)
		if !bytes.Equal(m.Data, want) {
			t.Fatalf("the contents changed after %d bytes were released", len(b))
		}
	}
}

// TestIdentify: every way to change a file changes its identity.
func TestIdentify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := func() Identity {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return Identify(f)
	}
	first := id()
	if first.ID == "" {
		t.Skip("files have no identity here")
	}
	if id() != first {
		t.Error("the identity changed by itself")
	}
	if err := os.WriteFile(path+"2", []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	second := id()
	if second.ID == first.ID {
		t.Error("another file has the same identity")
	}
	if err := os.Chtimes(path, first.Changed, first.Changed.Add(-1e9)); err != nil {
		t.Fatal(err)
	}
	if id().ID == second.ID {
		t.Error("other times have the same identity")
	}
}
