package dynquant

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// asFloats is memory of int32 numbers as one of floats.
func asFloats(s []int32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// asBytesOf is the memory of int32 numbers as bytes.
func asBytesOf(s []int32) []uint8 {
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(s))), 4*len(s))
}

// epilogue is what the product itself can do for m channels from one on: all but what follows a residual.
func (t *convOut) epilogue(channel, m int) (e backend.Epilogue) {
	if t.biasF != nil {
		e.Bias = t.biasF[channel : channel+m]
	}
	if t.residual == nil || t.last {
		e.Act, e.P0, e.P1 = t.act, t.p0, t.p1
	}
	return e
}

// put stores a block of n positions with m channels each, the first of which is channel: from element at on of the result
// in the first channel's plane, those of the next channels a plane further each. turned is memory for the block turned over.
func (st *convState) put(acc, turned []int32, channel, m, at, n int) {
	t := &st.out
	switch {
	case t.sums != nil:
		backend.Transpose(st.k, t.sums[at:], st.pix, acc, m, n, m)
	case t.floats != nil:
		backend.Transpose(st.k, t.floats[at:], st.pix, asFloats(acc), m, n, m)
		if t.residual == nil {
			return
		}
		for ch := range m {
			from := at + ch*st.pix
			y := t.floats[from : from+n]
			st.k.Binary(backend.Add, y, y, t.residual[from:from+n])
			if !t.last {
				st.k.Activate(t.act, y, t.p0, t.p1)
			}
		}
	default:
		pitch, g := st.pitch(), channel/m
		rows := asBytesOf(turned)
		st.k.RequantizeColumns(rows, pitch, acc, pitch, n, pitch, t.biasCol[g*pitch:], t.scaleCol[g*pitch:], t.grid.zero, t.grid.low)
		st.k.TransposeBytes(t.bytes[at:], st.pix, rows, pitch, n, m, 0)
	}
}

// pitch is how far the sums of a position and the next are apart: where bytes are made of them, whole vectors.
func (st *convState) pitch() int {
	m := st.m / st.groups
	if st.out.bytes != nil {
		m = (m + 15) &^ 15
	}
	return m
}

// setColumns brings scale and bias into the order of the sums, each group's apart from the next by its pitch.
func (st *convState) setColumns(c *graph.RunCtx) {
	t, m, pitch := &st.out, st.m/st.groups, st.pitch()
	t.scaleCol, t.biasCol = scratch[float32](c, st.groups*pitch), scratch[int32](c, st.groups*pitch)
	clear(t.scaleCol)
	clear(t.biasCol)
	for g := range st.groups {
		copy(t.scaleCol[g*pitch:], t.scale[g*m:(g+1)*m])
		if t.bias != nil {
			copy(t.biasCol[g*pitch:], t.bias[g*m:(g+1)*m])
		}
	}
}

// requantize stores sums of an output channel as bytes.
func (t *convOut) requantize(k *backend.Kernels, dst []uint8, sums []int32, channel int) {
	bias := int32(0)
	if t.bias != nil {
		bias = t.bias[channel]
	}
	k.Requantize(dst, sums, bias, t.scale[channel], t.grid.zero, t.grid.low)
}
