package packcache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/qrun-onnx/qrun/internal/filemap"
)

// Source is a file whose contents a digest stands for.
type Source struct {
	Path     string // "" when it is not known
	Identity filemap.Identity
	Data     []byte
	Release  func(b []byte) // is told what has been read
}

// settled is how old the last change of a file has to be for its identity to stand for its contents: a change after that
// has other times, however coarsely the file system counts (FAT: by 2 seconds).
const settled = 3 * time.Second

// Digest is the SHA-256 of the source's contents by blocks. Reading all of a large model takes long, so the digest is
// noted in dir with the file's identity, and as long as that is the same it is taken from there. Where a digest takes the
// place of another for the same path, what forget makes of the old one is removed from dir.
func Digest(dir string, s Source, threads int, now time.Time, forget func(digest string) (pattern string)) string {
	note, noted := "", ""
	if abs, err := filepath.Abs(s.Path); err == nil && s.Path != "" && s.Identity.ID != "" {
		name := sha256.Sum256([]byte(abs))
		note = filepath.Join(dir, hex.EncodeToString(name[:16])+".id")
		id := ""
		if id, noted = readNote(note); id == s.Identity.ID {
			return noted
		}
	}
	digest := contents(s, threads)
	if note == "" {
		return digest
	}
	if noted != "" && noted != digest {
		if old, err := filepath.Glob(filepath.Join(dir, forget(noted))); err == nil {
			for _, name := range old {
				os.Remove(name)
			}
		}
	}
	if now.Sub(s.Identity.Changed) > settled {
		// Without the note the next load reads the file again.
		_ = writeFile(note, func(w io.Writer) error {
			_, err := io.WriteString(w, noteOf(s.Identity.ID, digest))
			return err
		})
	}
	return digest
}

// noteOf is the text of a note; its last line proves that it is whole.
func noteOf(id, digest string) string {
	text := id + "\n" + digest + "\n"
	return text + fmt.Sprintf("%x\n", sha256.Sum256([]byte(text)))
}

func readNote(path string) (id, digest string) {
	data, err := os.ReadFile(path)
	if err != nil || len(data) > 4096 {
		return "", ""
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) != 4 || noteOf(lines[0], lines[1]) != string(data) {
		return "", ""
	}
	return lines[0], lines[1]
}

// block is the part of a file that one goroutine digests at a time.
const block = 4 << 20

func contents(s Source, threads int) string {
	sums := make([][sha256.Size]byte, (len(s.Data)+block-1)/block)
	var next atomic.Int32
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(sums); i = int(next.Add(1)) - 1 {
			part := s.Data[i*block : min((i+1)*block, len(s.Data))]
			sums[i] = sha256.Sum256(part)
			if s.Release != nil {
				s.Release(part)
			}
		}
	}
	var others sync.WaitGroup
	for range min(threads, len(sums)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", len(s.Data))
	for _, sum := range sums {
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
