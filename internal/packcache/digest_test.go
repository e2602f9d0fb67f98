package packcache

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/qrun-onnx/qrun/internal/filemap"
)

func TestDigest(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte("0123456789"), block/10*2)
	id := filemap.Identity{ID: "1 2 3", Changed: time.Unix(1000, 0)}
	now := time.Unix(2000, 0)
	forget := func(digest string) string { return digest[:16] + "-*.pack" }
	released := 0
	digest := func(data []byte, id filemap.Identity, now time.Time) string {
		s := Source{Path: "m.onnx", Identity: id, Data: data, Release: func(b []byte) { released += len(b) }}
		return Digest(dir, s, 2, now, forget)
	}
	first := digest(data, id, now)
	if first != contents(Source{Data: data}, 1) || len(first) != 64 || released != len(data) {
		t.Fatalf("digest %s, %d of %d bytes released", first, released, len(data))
	}
	// The note stands for contents that have not changed, by which they are not read.
	if got := digest(nil, id, now); got != first {
		t.Error("the file was read again")
	}
	old := filepath.Join(dir, first[:16]+"-0.pack")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(data)
	changed[len(changed)-1]++
	second := digest(changed, filemap.Identity{ID: "1 2 4", Changed: id.Changed}, now)
	if second == first {
		t.Error("another file has the same digest")
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("what was made of the old contents is left")
	}
	// A file that has just changed, or that has no identity, is read at each load.
	for _, young := range []filemap.Identity{{ID: "1 2 5", Changed: now.Add(-time.Second)}, {}} {
		if digest(data, young, now) != first || digest(changed, young, now) != second {
			t.Errorf("identity %+v stood for contents", young)
		}
	}
	// So is one whose note is damaged.
	notes, err := filepath.Glob(filepath.Join(dir, "*.id"))
	if err != nil || len(notes) != 1 {
		t.Fatal(notes, err)
	}
	whole, err := os.ReadFile(notes[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 4
		for _, b := range [][]byte{bad, whole[:i]} {
			if err := os.WriteFile(notes[0], b, 0o600); err != nil {
				t.Fatal(err)
			}
			if id, sum := readNote(notes[0]); id != "" || sum != "" {
				t.Fatalf("damage at byte %d was not noticed", i)
			}
		}
	}
}
