package ops

import (
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// castBlock is how many elements a cast handles at a time: a multiple of what a byte of packed elements holds.
const castBlock = 256

// castJob converts blocks of elements by way of float64, int64 or uint64, whichever holds the source type exactly.
type castJob struct {
	cast
	x, y *tensor.Tensor
}

// castBuf holds a block between source and target.
type castBuf struct {
	kind castKind
	n    int
	f    [castBlock]float64
	i    [castBlock]int64
	u    [castBlock]uint64
}

type castKind uint8

const (
	castFloat castKind = iota
	castInt
	castUint
)

func (j *castJob) Do(lo, hi int) {
	var b castBuf
	total := j.y.Len()
	for block := lo; block < hi; block++ {
		at := block * castBlock
		b.n = min(castBlock, total-at)
		b.load(j.x, at)
		j.store(&b, at)
	}
}

// load reads b.n elements of any type but strings, from element at.
func (b *castBuf) load(x *tensor.Tensor, at int) {
	switch d := x.DType(); d {
	case tensor.Float32:
		loadFloats(b, tensor.View[float32](x), at)
	case tensor.Float64:
		loadFloats(b, tensor.View[float64](x), at)
	case tensor.Int8:
		loadInts(b, tensor.View[int8](x), at)
	case tensor.Int16:
		loadInts(b, tensor.View[int16](x), at)
	case tensor.Int32:
		loadInts(b, tensor.View[int32](x), at)
	case tensor.Int64:
		loadInts(b, tensor.View[int64](x), at)
	case tensor.Uint8, tensor.Bool:
		loadUints(b, tensor.View[uint8](x), at)
	case tensor.Uint16:
		loadUints(b, tensor.View[uint16](x), at)
	case tensor.Uint32:
		loadUints(b, tensor.View[uint32](x), at)
	case tensor.Uint64:
		loadUints(b, tensor.View[uint64](x), at)
	case tensor.Float16, tensor.BFloat16:
		b.kind = castFloat
		for i, v := range tensor.View[uint16](x)[at : at+b.n] {
			b.f[i] = float64(tensor.DecodeFloat(d, v))
		}
	case tensor.Int4, tensor.Int2:
		b.kind = castInt
		for i := range b.n {
			shift := 64 - d.Bits()
			b.i[i] = int64(uint64(packedAt(x.Bytes(), at+i, d.Bits()))<<shift) >> shift
		}
	case tensor.Uint4, tensor.Uint2:
		b.kind = castUint
		for i := range b.n {
			b.u[i] = uint64(packedAt(x.Bytes(), at+i, d.Bits()))
		}
	case tensor.Float4E2M1:
		b.kind = castFloat
		for i := range b.n {
			b.f[i] = float64(tensor.DecodeFloat(d, uint16(packedAt(x.Bytes(), at+i, 4))))
		}
	default: // the 8-bit floats
		b.kind = castFloat
		for i, v := range x.Bytes()[at : at+b.n] {
			b.f[i] = float64(tensor.DecodeFloat(d, uint16(v)))
		}
	}
}

func loadFloats[T float32 | float64](b *castBuf, src []T, at int) {
	b.kind = castFloat
	for i, v := range src[at : at+b.n] {
		b.f[i] = float64(v)
	}
}

func loadInts[T int8 | int16 | int32 | int64](b *castBuf, src []T, at int) {
	b.kind = castInt
	for i, v := range src[at : at+b.n] {
		b.i[i] = int64(v)
	}
}

func loadUints[T uint8 | uint16 | uint32 | uint64](b *castBuf, src []T, at int) {
	b.kind = castUint
	for i, v := range src[at : at+b.n] {
		b.u[i] = uint64(v)
	}
}

// store writes b's elements as the type of the output, from element at.
func (j *castJob) store(b *castBuf, at int) {
	switch d := j.y.DType(); d {
	case tensor.Float32:
		dst := tensor.View[float32](j.y)[at:]
		b.floats(func(i int, x float64) { dst[i] = float32(x) })
	case tensor.Float64:
		dst := tensor.View[float64](j.y)[at:]
		b.floats(func(i int, x float64) { dst[i] = x })
	case tensor.Float16, tensor.BFloat16:
		dst := tensor.View[uint16](j.y)[at:]
		b.floats(func(i int, x float64) { dst[i] = tensor.EncodeFloat(d, oddFloat32(x), false) })
	case tensor.Int8:
		storeInts(b, tensor.View[int8](j.y)[at:])
	case tensor.Int16:
		storeInts(b, tensor.View[int16](j.y)[at:])
	case tensor.Int32:
		storeInts(b, tensor.View[int32](j.y)[at:])
	case tensor.Int64:
		storeInts(b, tensor.View[int64](j.y)[at:])
	case tensor.Uint8:
		storeInts(b, tensor.View[uint8](j.y)[at:])
	case tensor.Uint16:
		storeInts(b, tensor.View[uint16](j.y)[at:])
	case tensor.Uint32:
		storeInts(b, tensor.View[uint32](j.y)[at:])
	case tensor.Uint64:
		storeInts(b, tensor.View[uint64](j.y)[at:])
	case tensor.Bool:
		dst := tensor.View[bool](j.y)[at:]
		b.floats(func(i int, x float64) { dst[i] = x != 0 })
	case tensor.Int4, tensor.Uint4, tensor.Int2, tensor.Uint2:
		var v [castBlock]uint8
		storeInts(b, v[:])
		packBits(j.y.Bytes()[at*d.Bits()/8:], v[:b.n], d.Bits())
	case tensor.Float4E2M1:
		var v [castBlock]uint8
		b.floats(func(i int, x float64) { v[i] = uint8(tensor.EncodeFloat(d, oddFloat32(x), true)) })
		packBits(j.y.Bytes()[at/2:], v[:b.n], 4)
	case tensor.Float8E8M0:
		dst := j.y.Bytes()[at:]
		b.floats(func(i int, x float64) { dst[i] = tensor.EncodeE8M0(float32(x), j.mode, j.saturate) })
	default: // the other 8-bit floats
		dst := j.y.Bytes()[at:]
		b.floats(func(i int, x float64) { dst[i] = uint8(tensor.EncodeFloat(d, oddFloat32(x), j.saturate)) })
	}
}

// floats calls f with every element as a float64.
func (b *castBuf) floats(f func(i int, x float64)) {
	for i := range b.n {
		switch b.kind {
		case castFloat:
			f(i, b.f[i])
		case castInt:
			f(i, float64(b.i[i]))
		case castUint:
			f(i, float64(b.u[i]))
		}
	}
}

// storeInts keeps the low bits of integers, and truncates floats toward zero.
func storeInts[T integer](b *castBuf, dst []T) {
	for i := range b.n {
		switch b.kind {
		case castFloat:
			dst[i] = truncate[T](b.f[i])
		case castInt:
			dst[i] = T(b.i[i])
		case castUint:
			dst[i] = T(b.u[i])
		}
	}
}

// truncate converts to an integer type. What is out of range is not defined by ONNX; here it is what C compilers for
// amd64 do, on every processor: types up to 32 bits take the low bits of an int32 or, for uint32, of an int64, and a
// value that does not fit that, or NaN, is its smallest number.
func truncate[T integer](x float64) T {
	var z T
	switch any(z).(type) {
	case uint64:
		if x >= 0x1p63 && x < 0x1p64 {
			return T(uint64(x-0x1p63) + 1<<63)
		}
	case int64, uint32:
	default:
		if !(x > math.MinInt32-1 && x < math.MaxInt32+1) {
			low := int32(math.MinInt32)
			return T(low)
		}
		return T(int32(x))
	}
	if !(x >= -0x1p63 && x < 0x1p63) {
		low := int64(math.MinInt64)
		return T(low)
	}
	return T(int64(x))
}

// oddFloat32 rounds to float32 such that rounding the result again to fewer bits is rounding x once: an inexact result
// gets an odd mantissa.
func oddFloat32(x float64) float32 {
	f := float32(x)
	if float64(f) == x || math.IsNaN(x) || math.IsInf(float64(f), 0) {
		return f
	}
	bits := math.Float32bits(f)
	if math.Abs(float64(f)) > math.Abs(x) {
		bits-- // toward zero
	}
	return math.Float32frombits(bits | 1)
}

// packBits packs the low bits of elements, first in the low bits of a byte.
func packBits(dst []byte, v []uint8, bits int) {
	per := 8 / bits
	for i, x := range v {
		if i%per == 0 {
			dst[i/per] = 0
		}
		dst[i/per] |= x & (1<<bits - 1) << (i % per * bits)
	}
}

// castFrom is a whole tensor as float64 (integers of more than 53 bits rounded), for operators that take parameters of
// any number type; in buf's memory if it is large enough.
func castFrom(buf []float64, x *tensor.Tensor) []float64 {
	out := slices.Grow(buf[:0], x.Len())[:x.Len()]
	var b castBuf
	for at := 0; at < len(out); at += castBlock {
		b.n = min(castBlock, len(out)-at)
		b.load(x, at)
		b.floats(func(i int, v float64) { out[at+i] = v })
	}
	return out
}
