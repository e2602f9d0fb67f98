package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/qrun-onnx/qrun/internal/filemap"
)

// Source is the memory that a model's tensors are views of: the bytes of its file and of its external data. Files are
// mapped into memory where the platform has that, and unmapped when the Source is garbage.
//
// A []byte does not keep mapped memory alive. The rule: what uses elements of a tensor holds the tensor, the Model or
// the Source until it is done. Tensors from Model.Tensor hold it by themselves; whoever keeps bare slices of elements
// (a session with packed operators) keeps the Source beside them and ends each use with runtime.KeepAlive.
//
// The memory is read-only: a write to it crashes the program. So does a read after another program has shortened the
// file; to replace a model that is in use, rename a new file over it.
type Source struct {
	open func(location string) (fs.File, error) // external data; nil when there is nowhere to look

	mu       sync.Mutex
	external map[string]*blob
	main     *blob
}

// ReleasePages tells the operating system that the mapped pages are not needed soon. Their contents stay available:
// they are read from the page cache or the file again when touched. Call it once weights have been packed.
func (s *Source) ReleasePages() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.main.release()
	for _, b := range s.external {
		b.release()
	}
}

// externalBytes returns the contents of an external data file, loaded at its first use.
func (s *Source) externalBytes(location string) ([]byte, error) {
	if s == nil || s.open == nil {
		return nil, errors.New("the model was not read from a directory, there is nowhere to look for external data")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.external[location]; b != nil {
		return b.data, nil
	}
	f, err := s.open(location)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := load(f, maxExternal)
	if err != nil {
		return nil, err
	}
	if s.external == nil {
		s.external = map[string]*blob{}
	}
	b.name = location
	s.external[location] = b
	return b.data, nil
}

// blob is the contents of a file.
type blob struct {
	name string // of external data, as in the model
	path string // where the operating system finds it, "" for one that comes from elsewhere
	id   filemap.Identity
	data []byte
	file *filemap.File // data is its memory; nil for data that was read
}

func (b *blob) release() {
	if b != nil && b.file != nil {
		b.file.Release(b.data)
	}
}

// minMapped is the size from which a file is mapped; a smaller one is cheaper to read.
const minMapped = 1 << 16

// load maps or reads the rest of f, which may have limit bytes.
func load(f fs.File, limit int64) (*blob, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	switch {
	case info.IsDir():
		return nil, errors.New("it is a directory")
	case info.Mode().IsRegular() && size > limit:
		return nil, formatErr("it has %d bytes, more than the %d that can be read", size, limit)
	}
	b := &blob{}
	file, ok := f.(*os.File)
	if ok && info.Mode().IsRegular() {
		b.id = filemap.Identify(file) // before the file is read
		b.path = file.Name()
	}
	if ok && info.Mode().IsRegular() && size >= minMapped {
		if m, err := filemap.Map(file, int(size)); err == nil {
			b.file, b.data = m, m.Data
			return b, nil
		}
	}
	b.data, err = read(f, info, limit)
	return b, err
}

func read(f fs.File, info fs.FileInfo, limit int64) ([]byte, error) {
	if !info.Mode().IsRegular() { // a pipe, or a device without end
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = formatErr("it has more than the %d bytes that can be read", limit)
		}
		return data, err
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("reading its %d bytes: %w", len(data), err)
	}
	return data, nil
}
