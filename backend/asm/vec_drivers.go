package asm

import (
	"math"
	"unsafe"
)

//go:noinline
func (k VecUnary) chunk(a *ArgsVecUnary) { k.Call(a) }

//go:noinline
func (k VecBinary) chunk(a *ArgsVecBinary) { k.Call(a) }

//go:noinline
func (k VecReduce) chunk(a *ArgsVecReduce) { k.Call(a) }

// Unary computes dst[i] = UnaryOf(f, src[i], p0, p1).
func (v *Vector) Unary(f Unary, dst, src []float32, p0, p1 float32) {
	k := v.unary
	if k != 0 {
		k += VecUnary(f)
	}
	a := ArgsVecUnary{F: int64(f), P0: p0, P1: p1}
	for i := 0; i < len(src); i += vecChunk {
		a.Dst, a.Src, a.N = &dst[i], &src[i], int64(min(vecChunk, len(src)-i))
		k.chunk(&a)
	}
}

// Operands of Vector.Binary.
const (
	bothVectors = iota
	scalarB
	scalarA
)

// Binary computes dst[i] = BinaryOf(f, a[i], b[i]).
func (v *Vector) Binary(f Binary, dst, a, b []float32) { v.binaryForm(f, bothVectors, dst, a, b) }

// BinaryVS computes dst[i] = BinaryOf(f, a[i], b).
func (v *Vector) BinaryVS(f Binary, dst, a []float32, b float32) {
	v.binaryForm(f, scalarB, dst, a, []float32{b})
}

// BinarySV computes dst[i] = BinaryOf(f, a, b[i]).
func (v *Vector) BinarySV(f Binary, dst []float32, a float32, b []float32) {
	v.binaryForm(f, scalarA, dst, []float32{a}, b)
}

// Axpy computes dst[i] = fma(src[i], s, dst[i]).
func (v *Vector) Axpy(dst, src []float32, s float32) {
	v.binaryForm(NumBinary, scalarB, dst, src, []float32{s})
}

func (v *Vector) binaryForm(f Binary, form int, dst, a, b []float32) {
	k := v.binary
	switch {
	case k == 0:
	case f == NumBinary:
		k += 3 * VecBinary(NumBinary)
	default:
		k += 3*VecBinary(f) + VecBinary(form)
	}
	g := ArgsVecBinary{F: int64(f), Form: int64(form)}
	for i := 0; i < len(dst); i += vecChunk {
		g.Dst, g.A, g.B, g.N = &dst[i], &a[0], &b[0], int64(min(vecChunk, len(dst)-i))
		if form != scalarA {
			g.A = &a[i]
		}
		if form != scalarB {
			g.B = &b[i]
		}
		k.chunk(&g)
	}
}

// reduceLanes adds a (and b, for dot) to the lanes and returns whether a flag was raised.
func (v *Vector) reduceLanes(f int, acc *lanes2, a, b []float32) bool {
	k := v.reduce
	if k != 0 {
		k += VecReduce(f)
	}
	g := ArgsVecReduce{F: int64(f), Acc: &acc[0][0]}
	flag := int64(0)
	for i := 0; i < len(a); i += vecChunk {
		g.A, g.N = &a[i], int64(min(vecChunk, len(a)-i))
		if b != nil {
			g.B = &b[i]
		}
		k.chunk(&g)
		flag |= g.Flag
	}
	return flag != 0
}

// Sum is the sum of the elements.
func (v *Vector) Sum(src []float32) float32 {
	var l lanes2
	v.reduceLanes(reduceSum, &l, src, nil)
	return l[0].sum()
}

// SumSquares is the sum of squares, a fused multiply-add per element.
func (v *Vector) SumSquares(src []float32) float32 {
	var l lanes2
	v.reduceLanes(reduceSumSquares, &l, src, nil)
	return l[0].sum()
}

// Dot is the scalar product, a fused multiply-add per element.
func (v *Vector) Dot(a, b []float32) float32 {
	var l lanes2
	v.reduceLanes(reduceDot, &l, a, b)
	return l[0].sum()
}

// MaxOf is the largest element, a NaN if one is, -Inf of nothing.
func (v *Vector) MaxOf(src []float32) float32 {
	l := lanes2{filled(math.Inf(-1))}
	if v.reduceLanes(reduceMax, &l, src, nil) {
		return float32(math.NaN())
	}
	return l[0].max()
}

// MinMax returns the extremes of the finite elements (0, 0 if there is none) and whether all are finite.
func (v *Vector) MinMax(src []float32) (mn, mx float32, finite bool) {
	l := lanes2{filled(math.Inf(1)), filled(math.Inf(-1))}
	if finite = !v.reduceLanes(reduceMinMax, &l, src, nil); !finite {
		l = finiteLanes(src)
	}
	mn, mx = l[0].min(), l[1].max()
	if mn > mx {
		return 0, 0, finite
	}
	return mn, mx, finite
}

func vecUnaryScalar(a *ArgsVecUnary) {
	dst, src := unsafe.Slice(a.Dst, a.N), unsafe.Slice(a.Src, a.N)
	for i, x := range src {
		dst[i] = UnaryOf(Unary(a.F), x, a.P0, a.P1)
	}
}

func vecBinaryScalar(a *ArgsVecBinary) {
	dst := unsafe.Slice(a.Dst, a.N)
	x, y := unsafe.Slice(a.A, 1), unsafe.Slice(a.B, 1)
	dx, dy := 0, 0
	if a.Form != scalarA {
		x, dx = unsafe.Slice(a.A, a.N), 1
	}
	if a.Form != scalarB {
		y, dy = unsafe.Slice(a.B, a.N), 1
	}
	for i := range dst {
		if f := Binary(a.F); f == NumBinary {
			dst[i] = FMA32(x[i*dx], y[i*dy], dst[i])
		} else {
			dst[i] = BinaryOf(f, x[i*dx], y[i*dy])
		}
	}
}

func vecReduceScalar(a *ArgsVecReduce) {
	x := unsafe.Slice(a.A, a.N)
	l := (*lanes)(unsafe.Pointer(a.Acc))
	a.Flag = 0
	switch a.F {
	case reduceSum:
		for i, e := range x {
			l[i&15] += e
		}
	case reduceSumSquares:
		for i, e := range x {
			l[i&15] = FMA32(e, e, l[i&15])
		}
	case reduceDot:
		for i, e := range unsafe.Slice(a.B, a.N) {
			l[i&15] = FMA32(x[i], e, l[i&15])
		}
	case reduceMax:
		for i, e := range x {
			if e != e {
				a.Flag = 1
			}
			l[i&15] = maxNaN(e, l[i&15])
		}
	case reduceMinMax:
		l2 := (*lanes2)(unsafe.Pointer(a.Acc))
		for i, e := range x {
			if e-e != 0 {
				a.Flag = 1
			}
			l2[0][i&15] = minNaN(e, l2[0][i&15])
			l2[1][i&15] = maxNaN(e, l2[1][i&15])
		}
	}
}
