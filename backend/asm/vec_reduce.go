package asm

import "math"

// lanes are the 16 virtual lanes of every reduction: lane i takes elements i, i+16, i+32, ... in order.
type lanes [16]float32

// fold combines the lanes by one fixed tree: lane i with i+8, then i+4, i+2, i+1.
func (l *lanes) fold(f func(a, b float32) float32) float32 {
	for d := 8; d > 0; d /= 2 {
		for i := range d {
			l[i] = f(l[i], l[i+d])
		}
	}
	return l[0]
}

func (l *lanes) sum() float32 { return l.fold(func(a, b float32) float32 { return a + b }) }

func sum(src []float32) float32 {
	var l lanes
	for i, x := range src {
		l[i&15] += x
	}
	return l.sum()
}

func sumSquares(src []float32) float32 {
	var l lanes
	for i, x := range src {
		l[i&15] = FMA32(x, x, l[i&15])
	}
	return l.sum()
}

func dot(a, b []float32) float32 {
	var l lanes
	b = b[:len(a)]
	for i, x := range a {
		l[i&15] = FMA32(x, b[i], l[i&15])
	}
	return l.sum()
}

// maxOf is the largest element, a NaN if one is; of zeros, the one that its lane took first.
func maxOf(src []float32) float32 {
	var l lanes
	for i := range l {
		l[i] = float32(math.Inf(-1))
	}
	nan := false
	for i, x := range src {
		nan = nan || x != x
		l[i&15] = maxNaN(x, l[i&15])
	}
	if nan {
		return float32(math.NaN())
	}
	return l.fold(maxNaN)
}

// minMax returns the extremes of the finite elements (0, 0 if there is none) and whether all are finite.
func minMax(src []float32) (mn, mx float32, finite bool) {
	var lo, hi lanes
	for i := range lo {
		lo[i], hi[i] = float32(math.Inf(1)), float32(math.Inf(-1))
	}
	finite = true
	for i, x := range src {
		if x-x != 0 {
			finite = false
			continue
		}
		lo[i&15] = minNaN(x, lo[i&15])
		hi[i&15] = maxNaN(x, hi[i&15])
	}
	mn, mx = lo.fold(minNaN), hi.fold(maxNaN)
	if mn > mx {
		return 0, 0, finite
	}
	return mn, mx, finite
}
