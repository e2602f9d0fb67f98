package asm

import (
	"math"
	"unsafe"
)

// PlanesBlocks are how a kernel over planes cuts the rows of its results: into blocks of as many columns as a vector has
// lanes, of which those at the edges load and store under masks.
type PlanesBlocks struct {
	Lead, Inner, Trail int
	Masks              []int32
}

// Set computes them for rows of outW results from inW columns with pad before them. A block reads one vector per column
// of the window from each row, or with a stride of 2 two adjacent ones per two columns.
func (b *PlanesBlocks) Set(lanes, kw, stride, pad, inW, outW int) {
	*b = PlanesBlocks{Masks: b.Masks[:0]}
	loads, step := kw, 1
	if stride == 2 {
		loads = (kw + 1) / 2 * 2
		step = lanes
	}
	for x := 0; x < outW; x += lanes {
		first := x*stride - pad
		if last := first + (loads-1)/stride*stride + (stride-1)*step + lanes; first >= 0 && last <= inW && x+lanes <= outW {
			b.Inner++
			continue
		}
		if b.Inner == 0 {
			b.Lead++
		} else {
			b.Trail++
		}
		for l := range loads {
			for i := range lanes {
				c := first + l/stride*stride + l%stride*step + i
				b.Masks = append(b.Masks, lane(c >= 0 && c < inW))
			}
		}
		for i := range lanes {
			b.Masks = append(b.Masks, lane(x+i < outW))
		}
	}
}

func lane(set bool) int32 {
	if set {
		return -1
	}
	return 0
}

// element is the input under a window's row i and column j at output y, x of plane p.
func (a *ArgsPlanes) element(p, y, x, i, j int, outside float32) float32 {
	r, c := int(a.Row)+y*int(a.Stride)+i, x*int(a.Stride)-int(a.Pad)/4+j
	if c < 0 || c >= int(a.InW) {
		return outside
	}
	if r < 0 || r >= int(a.H) {
		return elem(a.Outside, c)
	}
	return *(*float32)(unsafe.Add(a.X, p*int(a.StepX)+r*int(a.LDX)+4*c))
}

// each calls f for every output and stores what it returns.
func (a *ArgsPlanes) each(f func(p, y, x int) float32) {
	for p := range int(a.Planes) {
		for y := range int(a.Rows) {
			dst := row[float32](unsafe.Pointer(a.Dst), 1, p*int(a.StepC)+y*int(a.LDC), int(a.OutW))
			for x := range dst {
				dst[x] = f(p, y, x)
			}
		}
	}
}

// depthwisePlanesScalar is the Go kernel of DepthwisePlanes.
func depthwisePlanesScalar(a *ArgsPlanes) {
	taps := int(a.KH * a.KW)
	a.each(func(p, y, x int) float32 {
		acc := float32(0)
		for t := range taps {
			acc = FMA32(elem(a.W, p*taps+t), a.element(p, y, x, t/int(a.KW), t%int(a.KW), 0), acc)
		}
		if a.Bias != nil {
			acc += elem(a.Bias, p)
		}
		if acc < a.Lo {
			acc = a.Lo
		}
		if acc > a.Hi {
			acc = a.Hi
		}
		return acc
	})
}

// poolPlanesScalar is the Go kernel of PoolPlanes.
func poolPlanesScalar(a *ArgsPlanes) {
	f, outside := func(x, acc float32) float32 { return acc + x }, float32(0)
	if a.Max != 0 {
		f, outside = larger, float32(math.Inf(-1))
	}
	a.each(func(p, y, x int) (acc float32) {
		for j := range int(a.KW) {
			column := a.element(p, y, x, 0, j, outside)
			for i := 1; i < int(a.KH); i++ {
				column = f(a.element(p, y, x, i, j, outside), column)
			}
			if j == 0 {
				acc = column
			} else {
				acc = f(column, acc)
			}
		}
		return acc
	})
}

// larger is the larger one of two numbers, acc when they are equal; a NaN in either stays.
func larger(x, acc float32) float32 {
	if x > acc || x != x {
		return x
	}
	return acc
}
