package onnx

import (
	"maps"
	"slices"

	"github.com/qrun-onnx/qrun/internal/filemap"
)

// Mapped reports whether b, elements of one of the source's tensors, are memory of a mapped file: they take memory while
// they are used, and the system reads them again when they are needed.
func (s *Source) Mapped(b []byte) bool { return s.mapped(b) != nil }

// Release tells the operating system that the pages of b, where it lies in a mapped file, are not needed soon. They stay
// readable (see ReleasePages). It does nothing for other memory.
func (s *Source) Release(b []byte) {
	if m := s.mapped(b); m != nil {
		m.Release(b)
	}
}

// mapped is the mapped file that holds b, nil if there is none.
func (s *Source) mapped(b []byte) *filemap.File {
	if s == nil || len(b) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.main; m != nil && m.file != nil && m.file.Holds(b) {
		return m.file
	}
	for _, e := range s.external {
		if e.file != nil && e.file.Holds(b) {
			return e.file
		}
	}
	return nil
}

// File is a file that a model's tensors are views of.
type File struct {
	Name     string // of external data as the model has it, "" for the model itself
	Path     string // where the operating system finds it, "" for one that comes from elsewhere
	Identity filemap.Identity
	Data     []byte // its contents; the Source keeps them alive
}

// Files lists the model's file, then those of external data that have been read so far, by name.
func (s *Source) Files() []File {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []File
	for _, b := range append([]*blob{s.main}, sortedBlobs(s.external)...) {
		if b != nil {
			list = append(list, File{Name: b.name, Path: b.path, Identity: b.id, Data: b.data})
		}
	}
	return list
}

func sortedBlobs(m map[string]*blob) []*blob {
	var list []*blob
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[name])
	}
	return list
}
