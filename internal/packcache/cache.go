// Package packcache keeps what loading a model made of its weights in a file, for the next load of the same model. An
// entry says which bytes of which file of the model it was made from, and how; the file as a whole is for one key, a text
// that says everything else that the entries depend on. A file that is not whole, or for another key, is as good as none.
package packcache

import (
	"encoding/binary"
	"hash/crc32"
	"sync"

	"github.com/qrun-onnx/qrun/internal/filemap"
)

// Cache is what one load finds and keeps. The zero Cache finds and keeps nothing. Its methods are safe for concurrent
// use. What Find returned is valid while the Cache is reachable.
type Cache struct {
	path, key string

	mu      sync.Mutex
	regions []region
	file    *filemap.File // holds the bytes of found entries; nil where they are ordinary memory
	found   map[string]entry
	kept    map[string][][]byte
	open    bool
}

// region is a file of the model in memory.
type region struct {
	name string
	data []byte
}

// entry is where in the file a packed matrix is.
type entry struct {
	data  []byte
	check uint32
	used  bool
}

// Open reads the cache file at path, if it is whole and for this key, and makes c find its entries and keep new ones.
func (c *Cache) Open(path, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.path, c.key, c.kept, c.open = path, key, map[string][][]byte{}, true
	c.found, c.file = read(path, key)
}

// Add names memory from which matrices are packed: a file of the model.
func (c *Cache) Add(name string, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.regions = append(c.regions, region{name, data})
}

// Find returns what Keep got for a source and a recipe, in an earlier process maybe, on a 64-byte boundary and read-only;
// nil when there is nothing.
func (c *Cache) Find(src []byte, recipe string) []byte {
	c.mu.Lock()
	if !c.open {
		c.mu.Unlock()
		return nil
	}
	id := c.id(src, recipe)
	e, ok := c.found[id]
	c.mu.Unlock()
	if !ok {
		return nil
	}
	if !e.used { // checked once; two goroutines may both do it
		if crc32.Checksum(e.data, castagnoli) != e.check {
			e.data = nil
		}
		e.used = true
		c.mu.Lock()
		if e.data == nil {
			delete(c.found, id)
		} else {
			c.found[id] = e
		}
		c.mu.Unlock()
	}
	return e.data
}

// Keep takes what was made of a source by a recipe, in parts, which must stay as they are until Save. It ignores a
// source that is no part of the model's files.
func (c *Cache) Keep(src []byte, recipe string, parts ...[]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		return
	}
	if id := c.id(src, recipe); id != "" {
		c.kept[id] = parts
	}
}

// id names an entry: the place of its source and the recipe. It is empty for a source that is in none of the files.
func (c *Cache) id(src []byte, recipe string) string {
	for _, r := range c.regions {
		if filemap.Within(r.data, src) {
			b := binary.AppendUvarint(nil, uint64(len(r.name)))
			b = append(b, r.name...)
			b = binary.AppendUvarint(b, uint64(filemap.Offset(r.data, src)))
			b = binary.AppendUvarint(b, uint64(len(src)))
			return string(append(b, recipe...))
		}
	}
	return ""
}

// Save writes the entries that were found and kept to the file when there are new ones. From then on c finds and keeps
// nothing.
func (c *Cache) Save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, found := c.kept, c.found
	open := c.open
	c.kept, c.found, c.open, c.regions = nil, nil, false, nil
	if !open || len(kept) == 0 {
		return nil
	}
	for id, e := range found {
		if e.used && kept[id] == nil {
			kept[id] = [][]byte{e.data}
		}
	}
	return write(c.path, c.key, kept)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
