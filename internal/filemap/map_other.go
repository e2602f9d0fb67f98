//go:build !unix

package filemap

import (
	"errors"
	"os"
)

// Without a mapping files are read. On Windows that is on purpose: a mapped file there can be neither replaced nor
// removed, and a write over the model's own file would fail.
func mapFile(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmap([]byte) {}

func release([]byte) {}
