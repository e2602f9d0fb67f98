//go:build unix

package filemap

import (
	"os"

	"golang.org/x/sys/unix"
)

func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

func unmap(data []byte) {
	// It fails only for a range that was never mapped.
	_ = unix.Munmap(data)
}

func release(data []byte) {
	_ = unix.Madvise(data, unix.MADV_DONTNEED)
}
