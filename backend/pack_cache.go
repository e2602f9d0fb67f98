package backend

import (
	"fmt"
	"hash/crc32"
	"io"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// PackCache keeps what packing made from one load of a model to the next. What it gives back is read-only, on a 64-byte
// boundary, and the caller keeps it alive as long as what was packed.
type PackCache interface {
	// Find returns what Keep got for a source and a recipe, nil when there is nothing.
	Find(src []byte, recipe string) []byte
	// Keep takes what a recipe made of a source, in parts that stay as they are.
	Keep(src []byte, recipe string, parts ...[]byte)
}

// WithCache returns the same kernels with a cache: PackF32, PackF16, PackI8 and PackQuantized look there first.
func (k *Kernels) WithCache(c PackCache) *Kernels {
	with := *k
	with.packs = c
	return &with
}

// Cached returns what make makes of src by a recipe, elements of 4 bytes, or what the cache knows of it.
func Cached[T float32 | uint32](k *Kernels, src []float32, recipe string, make func() ([]T, error)) ([]T, error) {
	if k.packs == nil || len(src) == 0 {
		return make()
	}
	from := memory(src)
	if b := k.packs.Find(from, recipe); len(b) >= 4 && len(b)%4 == 0 {
		return viewOf[T](b), nil
	}
	v, err := make()
	if err == nil && len(v) > 0 {
		k.packs.Keep(from, recipe, memory(v))
	}
	return v, err
}

// cached fills data, in memory from alloc, from the cache or else by pack.
func cached[S, T any](k *Kernels, src []S, recipe string, n int, alloc func(int) []T, pack func([]T)) []T {
	var t T
	size := int(unsafe.Sizeof(t))
	if k.packs == nil || n == 0 || len(src) == 0 {
		data := alloc(n)
		pack(data)
		return data
	}
	from := memory(src)
	if b := k.packs.Find(from, recipe); len(b) == n*size {
		return viewOf[T](b)
	}
	data := alloc(n)
	pack(data)
	k.packs.Keep(from, recipe, memory(data))
	return data
}

// WritePacked writes what packing makes of a matrix, as float32, as float16 and as the int8 next to it, so that programs
// which pack otherwise can be told from this one.
func (k *Kernels) WritePacked(w io.Writer, b []float32, K, N int, trans bool) {
	ldb := N
	if trans {
		ldb = K
	}
	ints := make([]int8, len(b))
	for i, x := range b {
		ints[i] = int8(x)
	}
	f, h := k.PackF32(b, K, N, ldb, trans), k.PackF16(b, K, N, ldb, trans)
	// A hash, for which this is, does not fail.
	_, _ = w.Write(memory(f.data))
	_, _ = w.Write(memory(h.data))
	k.PackI8(ints, K, N, ldb, trans, nil, []int32{3}).Write(w)
}

// Write writes the packed matrix, as WritePacked does.
func (p *PackedI8) Write(w io.Writer) {
	for _, part := range [][]byte{memory(p.data), memory(p.sums), memory(p.comp), memory(p.scale), memory(p.zero)} {
		_, _ = w.Write(part)
	}
	if p.clip != nil {
		fmt.Fprint(w, p.clip.first, p.clip.terms)
		_, _ = w.Write(memory(p.clip.data))
	}
}

// recipeOf names how a matrix is packed.
func recipeOf(kind string, K, N, ldb int, trans bool) string {
	return fmt.Sprint(kind, K, N, ldb, trans)
}

// memory is the memory of s.
func memory[T any](s []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}

func viewOf[T any](b []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))
}

// PackQuantized is PackI8 of the matrix [K,N], with trans [N,K], that quantize makes of src by a recipe. It is called
// only where the cache does not know the result.
func (k *Kernels) PackQuantized(src []float32, recipe string, K, N int, trans bool, scale []float32, quantize func() []int8) *PackedI8 {
	ldb := N
	if trans {
		ldb = K
	}
	recipe = fmt.Sprintf("%s of %s, scales %08x", recipeOf("i8", K, N, ldb, trans), recipe, crc32.ChecksumIEEE(memory(scale)))
	return packI8(k, src, recipe, K, N, ldb, trans, scale, nil, quantize)
}

// packI8 packs the matrix that make makes of src, unless the cache has it: its panels and the sums of its columns.
func packI8[S any](k *Kernels, src []S, recipe string, K, N, ldb int, trans bool, scale []float32, zero []int32, make func() []int8) *PackedI8 {
	p := new(PackedI8)
	l := &k.u8s8
	w := l.width(N)
	size := w * l.padded(K)
	if k.packs == nil || size == 0 || size%4 != 0 || len(src) == 0 {
		b := make()
		k.PackI8Into(p, b, K, N, ldb, trans, scale, zero)
		p.clip = k.clip(p, b, ldb, trans)
		return p
	}
	from := memory(src)
	clip, known := k.cachedClip(from, recipe, K, N)
	if b := k.packs.Find(from, recipe); known && len(b) == size+4*w {
		*p = PackedI8{K: K, N: N, layout: l, data: viewOf[int8](b[:size]), sums: aligned[int32](w), comp: aligned[int32](w)}
		copy(p.sums, viewOf[int32](b[size:]))
		p.clip = clip
		p.finish(k, PackedI8{}, scale, zero)
		return p
	}
	b := make()
	k.fillI8(p, b, K, N, ldb, trans)
	p.clip = k.clip(p, b, ldb, trans)
	k.keepClip(from, recipe, p.clip)
	sums := append([]int32(nil), p.sums...)
	k.packs.Keep(from, recipe, memory(p.data), memory(sums))
	p.finish(k, PackedI8{}, scale, zero)
	return p
}

// clipRecipe names the second form of what a recipe packs. It has three entries: the panels; the first terms of each
// panel; the terms. A matrix that has no such form has none but the first, of one byte.
func clipRecipe(recipe, part string) string { return recipe + ", clipped, fours of terms: " + part }

// cachedClip is the second form of a [K,N] matrix. known is false when the cache does not know whether there is one.
func (k *Kernels) cachedClip(from []byte, recipe string, K, N int) (c *clipped, known bool) {
	l := &k.u8c8
	if l.isa == asm.Scalar {
		return nil, true
	}
	data := k.packs.Find(from, clipRecipe(recipe, "panels"))
	if len(data) == 1 {
		return nil, true
	}
	first, terms := k.packs.Find(from, clipRecipe(recipe, "first")), k.packs.Find(from, clipRecipe(recipe, "terms"))
	if len(data) != l.width(N)*l.padded(K) || len(first) != 4*l.panels(N) || len(terms)%int(unsafe.Sizeof(asm.Terms{})) != 0 {
		return nil, false
	}
	c = &clipped{data: viewOf[int8](data), terms: viewOf[asm.Terms](terms)}
	last := int32(0)
	for _, f := range viewOf[int32](first) {
		if f < last || int(f) > len(c.terms) {
			return nil, false
		}
		last = f
		c.first = append(c.first, int(f))
	}
	return c, true
}

// keepClip keeps what cachedClip finds.
func (k *Kernels) keepClip(from []byte, recipe string, c *clipped) {
	switch {
	case k.u8c8.isa == asm.Scalar:
	case c == nil:
		k.packs.Keep(from, clipRecipe(recipe, "panels"), []byte{0})
	default:
		first := make([]int32, len(c.first))
		for i, f := range c.first {
			first[i] = int32(f)
		}
		k.packs.Keep(from, clipRecipe(recipe, "panels"), memory(c.data))
		k.packs.Keep(from, clipRecipe(recipe, "first"), memory(first))
		k.packs.Keep(from, clipRecipe(recipe, "terms"), memory(c.terms))
	}
}
