package dynquant

import (
	"fmt"
	"slices"
	"weak"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/tensor"
)

// pack brings a weight [..., K, N] (with trans [..., N, K]) into the kernels' layout, one matrix per batch. A weight that
// another node has packed already is shared.
func (l lib) pack(w, scale, zero *tensor.Tensor, trans bool) *[]*backend.PackedI8 {
	return l.shared(w, scale, zero, trans, func() *[]*backend.PackedI8 { return l.packAll(w, scale, zero, trans) })
}

// packFloat quantizes a float weight and packs it; scale has an element for each column of each matrix. Nodes that repeat
// channels or multiply differently have scale tensors of their own.
func (l lib) packFloat(t, scale *tensor.Tensor, trans bool, repeat []int, alpha float32) *[]*backend.PackedI8 {
	return l.shared(t, scale, nil, trans, func() *[]*backend.PackedI8 {
		w := &weight{float: tensor.View[float32](t), shape: t.Shape(), trans: trans}
		return w.packs(l, tensor.View[float32](scale), repeat, alpha)
	})
}

// packs quantizes each matrix with the scales of its columns and packs it; its products have alpha times these scales.
func (w *weight) packs(l lib, scale []float32, repeat []int, alpha float32) *[]*backend.PackedI8 {
	depth, n := w.depth()+len(repeat), w.columns()
	result := slices.Clone(scale)
	for i := range result {
		result[i] *= alpha
	}
	q := l.bytes.Get().(*[]int8)
	defer l.bytes.Put(q)
	packs := make([]*backend.PackedI8, w.batches())
	for b := range packs {
		src, of := w.float[b*w.depth()*n:(b+1)*w.depth()*n], fmt.Sprintf("quantized, repeat %d, alpha %b", repeat, alpha)
		packs[b] = l.k.PackQuantized(src, of, depth, n, w.trans, result[b*n:(b+1)*n], func() []int8 {
			if len(*q) < depth*n {
				*q = make([]int8, depth*n)
			}
			w.fill(l.k, (*q)[:depth*n], b, scale, repeat)
			return (*q)[:depth*n]
		})
	}
	return &packs
}

// shared is what make returns, once for all that ask with the same tensors.
func (l lib) shared(w, scale, zero *tensor.Tensor, trans bool, make func() *[]*backend.PackedI8) *[]*backend.PackedI8 {
	key := packKey{weight: weak.Make(w), scale: weak.Make(scale), trans: trans}
	if zero != nil {
		key.zero = weak.Make(zero)
	}
	l.mu.Lock()
	p := l.packs[key].Value()
	l.mu.Unlock()
	if p != nil {
		return p
	}
	p = make()
	l.mu.Lock()
	l.packs[key] = weak.Make(p)
	l.mu.Unlock()
	return p
}

func (l lib) packAll(w, scale, zero *tensor.Tensor, trans bool) *[]*backend.PackedI8 {
	shape := w.Shape()
	k, n := shape[len(shape)-2], shape[len(shape)-1]
	ld := n
	if trans {
		k, n = n, k
	}
	data, offset := signed(w)
	zeros := zeroPoints(zero, offset)
	var s []float32 // nil for a weight whose products stay integers
	if scale != nil {
		s = tensor.View[float32](scale)
	}
	batches := 1
	for _, d := range shape[:len(shape)-2] {
		batches *= d
	}
	packs := make([]*backend.PackedI8, batches)
	for b := range packs {
		packs[b] = l.k.PackI8(data[b*k*n:(b+1)*k*n], k, n, ld, trans, perBatch(s, b, batches, n), perBatch(zeros, b, batches, n))
	}
	return &packs
}

// perBatch is the part of per-column parameters that belongs to batch b of matrices with n columns: all of them when the
// batches share them.
func perBatch[T any](v []T, b, batches, n int) []T {
	if batches > 1 && len(v) == batches*n && len(v) > 1 {
		return v[b*n : (b+1)*n]
	}
	return v
}

// signed returns the elements of an int8 or uint8 tensor as int8, a uint8 less 128, and that offset.
func signed(t *tensor.Tensor) (data []int8, offset int32) {
	if t.DType() == tensor.Int8 {
		return tensor.View[int8](t), 0
	}
	u := tensor.View[uint8](t)
	data = make([]int8, len(u))
	for i, v := range u {
		data[i] = int8(v ^ 0x80)
	}
	return data, 128
}

// zeroPoints returns zero points as int32 less offset; absent ones are 0.
func zeroPoints(t *tensor.Tensor, offset int32) []int32 {
	if t == nil {
		if offset == 0 {
			return nil
		}
		return []int32{-offset}
	}
	z := make([]int32, t.Len())
	for i := range z {
		switch t.DType() {
		case tensor.Uint8:
			z[i] = int32(tensor.View[uint8](t)[i]) - offset
		case tensor.Int8:
			z[i] = int32(tensor.View[int8](t)[i]) - offset
		case tensor.Int32:
			z[i] = tensor.View[int32](t)[i] - offset
		}
	}
	return z
}
