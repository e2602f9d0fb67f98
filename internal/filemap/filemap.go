// Package filemap maps files into memory, read-only, and tells one state of a file from another.
package filemap

import (
	"os"
	"runtime"
	"time"
	"unsafe"
)

// File is a mapped file. The memory goes when the File is garbage, so whoever reads Data holds the File meanwhile.
type File struct {
	Data []byte // read-only: a write to it crashes the program
}

// Map maps the first size bytes of f, which may be closed then. It fails where the platform has no mappings.
func Map(f *os.File, size int) (*File, error) {
	data, err := mapFile(f, size)
	if err != nil {
		return nil, err
	}
	m := &File{Data: data}
	runtime.AddCleanup(m, unmap, data)
	return m, nil
}

// Holds reports whether b is part of the mapping.
func (m *File) Holds(b []byte) bool { return Within(m.Data, b) }

// Within reports whether b is part of the memory of data.
func Within(data, b []byte) bool {
	at, start := address(b), address(data)
	return len(b) > 0 && at >= start && at+uintptr(len(b)) <= start+uintptr(len(data))
}

// Offset is where b, a part of data, starts in it.
func Offset(data, b []byte) int { return int(address(b) - address(data)) }

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// Release tells the operating system that the pages of b, a part of the mapping, are not needed soon: they are read
// from the page cache or the file again when touched. Pages that b shares with its neighbours stay.
func (m *File) Release(b []byte) {
	page := os.Getpagesize()
	from := Offset(m.Data, b)
	to := (from + len(b)) / page * page
	if from+len(b) == len(m.Data) {
		to = len(m.Data)
	}
	if from = (from + page - 1) / page * page; from < to {
		release(m.Data[from:to])
	}
}

// Identity tells whether a file is still what it was: device, inode, size, and the times of its last change, of which
// programs cannot set one. It is empty where the platform does not tell these.
type Identity struct {
	ID      string
	Changed time.Time // the later of the times
}

// Identify is the identity of an open file.
func Identify(f *os.File) Identity { return identify(f) }
