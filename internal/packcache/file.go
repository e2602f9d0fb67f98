package packcache

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
	"unsafe"

	"github.com/qrun-onnx/qrun/internal/filemap"
)

// The file, all numbers little-endian:
//
//	magic         8 bytes
//	header size   uint32, with what is before it, a multiple of 64
//	header check  uint32, CRC-32C of the header with this field 0
//	file size     uint64
//	key           uint32 length, text
//	entries       uint32 count, then each: uint32 length and text of the id, uint64 offset, uint64 length, uint32 CRC-32C
//	zeros, up to the header size
//	the entries' bytes, each on a multiple of 64
const (
	magic     = "qrunpk\x00\x01"
	alignment = 64
	minHeader = 32
	maxHeader = 1 << 26
)

// read returns the entries of the file at path, and what keeps their memory; nil for a file that is not whole, was made
// for another key, or is not there. The entries' bytes are checked when they are used.
func read(path, key string) (map[string]entry, *filemap.File) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() < minHeader || info.Size() > math.MaxInt/2 {
		return nil, nil
	}
	m, err := filemap.Map(f, int(info.Size()))
	if err == nil {
		return parse(m.Data, key), m
	}
	data := aligned(int(info.Size()))
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, nil
	}
	return parse(data, key), nil
}

// aligned is n bytes on a 64-byte boundary.
func aligned(n int) []byte {
	b := make([]byte, n+alignment-1)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (alignment - 1))
	return b[off : off+n : off+n]
}

// parse reads the header of a file and checks that everything it names is inside.
func parse(data []byte, key string) map[string]entry {
	if len(data) < minHeader || string(data[:len(magic)]) != magic {
		return nil
	}
	size := int(binary.LittleEndian.Uint32(data[8:]))
	if size < minHeader || size > len(data) || size > maxHeader || size%alignment != 0 || binary.LittleEndian.Uint64(data[16:]) != uint64(len(data)) {
		return nil
	}
	header := slices.Clone(data[:size])
	clear(header[12:16])
	if crc32.Checksum(header, castagnoli) != binary.LittleEndian.Uint32(data[12:]) {
		return nil
	}
	r := reader{b: header[24:]}
	if r.text() != key || r.bad {
		return nil
	}
	entries := map[string]entry{}
	for range r.u32() {
		id, at, n, check := r.text(), r.u64(), r.u64(), r.u32()
		if r.bad || at%alignment != 0 || at < uint64(size) || at > uint64(len(data)) || n > uint64(len(data))-at {
			return nil
		}
		entries[id] = entry{data: data[at : at+n : at+n], check: check}
	}
	return entries
}

// reader takes numbers and texts from b; bad when there were too few bytes.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad = r.bad || n > uint64(len(r.b)); r.bad {
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) text() string { return string(r.take(uint64(r.u32()))) }

// write makes the file at path anew: in a temporary file beside it, synced and then renamed, so that no reader sees a
// part of it and the last of several writers wins.
func write(path, key string, entries map[string][][]byte) error {
	ids := slices.Sorted(maps.Keys(entries))
	header, err := headerOf(key, ids, entries)
	if err != nil {
		return err
	}
	return writeFile(path, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, id := range ids {
			n := 0
			for _, part := range entries[id] {
				if _, err := w.Write(part); err != nil {
					return err
				}
				n += len(part)
			}
			if _, err := w.Write(make([]byte, up(n)-n)); err != nil {
				return err
			}
		}
		return nil
	})
}

func up(n int) int { return (n + alignment - 1) / alignment * alignment }

func headerOf(key string, ids []string, entries map[string][][]byte) ([]byte, error) {
	size := 24 + 4 + len(key) + 4
	for _, id := range ids {
		size += 4 + len(id) + 20
	}
	if size = up(size); size > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes is too large", size)
	}
	le := binary.LittleEndian
	h := make([]byte, 24, size)
	copy(h, magic)
	le.PutUint32(h[8:], uint32(size))
	text := func(s string) {
		h = le.AppendUint32(h, uint32(len(s)))
		h = append(h, s...)
	}
	text(key)
	h = le.AppendUint32(h, uint32(len(ids)))
	at := size
	for _, id := range ids {
		n, check := 0, uint32(0)
		for _, part := range entries[id] {
			n += len(part)
			check = crc32.Update(check, castagnoli, part)
		}
		text(id)
		h = le.AppendUint64(h, uint64(at))
		h = le.AppendUint64(h, uint64(n))
		h = le.AppendUint32(h, check)
		at += up(n)
	}
	h = h[:size]
	le.PutUint64(h[16:], uint64(at))
	le.PutUint32(h[12:], crc32.Checksum(h, castagnoli))
	return h, nil
}

// removeStale removes temporary files of writers that did not live to rename theirs.
func removeStale(path string) {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".*"))
	if err != nil {
		return
	}
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > time.Hour {
			os.Remove(name)
		}
	}
}

// writeFile makes the file at path from what write writes, or leaves things as they were.
func writeFile(path string, write func(io.Writer) error) (err error) {
	removeStale(path)
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
