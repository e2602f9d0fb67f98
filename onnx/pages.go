package onnx

import (
	"os"
	"unsafe"
)

// Mapped reports whether b, elements of one of the source's tensors, are memory of a mapped file: they take memory while
// they are used, and the system reads them again when they are needed.
func (s *Source) Mapped(b []byte) bool { return s.mapped(b) != nil }

// Release tells the operating system that the pages of b, where it lies in a mapped file, are not needed soon. They stay
// readable (see ReleasePages). It does nothing for other memory.
func (s *Source) Release(b []byte) {
	m := s.mapped(b)
	if m == nil {
		return
	}
	// Pages that b shares with its neighbours stay.
	page := os.Getpagesize()
	from := int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(m.data))))
	to := (from + len(b)) / page * page
	if from = (from + page - 1) / page * page; from < to {
		adviseUnneeded(m.data[from:to])
	}
}

// mapped is the mapped file that holds b, nil if there is none.
func (s *Source) mapped(b []byte) *blob {
	if s == nil || len(b) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.main.holds(b) {
		return s.main
	}
	for _, e := range s.external {
		if e.holds(b) {
			return e
		}
	}
	return nil
}

func (m *blob) holds(b []byte) bool {
	if m == nil || !m.mapped {
		return false
	}
	at, start := uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
	return at >= start && at+uintptr(len(b)) <= start+uintptr(len(m.data))
}
