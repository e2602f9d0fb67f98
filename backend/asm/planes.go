package asm

import (
	"math"
	"unsafe"
)

// PlanesBlocks are how a kernel over planes cuts the rows of its results: into blocks of as many columns as a vector has
// lanes, of which those at the edges load and store under masks. With four lanes, NEON's, which has no masks, they are
// what edge writes, and the input has LeastPlanesWidth columns or more.
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
			c := first + l/stride*stride + l%stride*step
			if lanes == neonLanes {
				b.edge(c, inW)
				continue
			}
			for i := range lanes {
				b.Masks = append(b.Masks, lane(c+i >= 0 && c+i < inW))
			}
		}
		if lanes == neonLanes {
			b.Masks = append(b.Masks, int32(min(lanes, outW-x)), 0, 0, 0)
			continue
		}
		for i := range lanes {
			b.Masks = append(b.Masks, lane(x+i < outW))
		}
	}
}

// neonLanes are the lanes of NEON's vectors.
const neonLanes = 4

// LeastPlanesWidth is how many columns of input the kernels over planes of an instruction set need.
func LeastPlanesWidth(isa ISA) int {
	if isa == NEON {
		return neonLanes
	}
	return 1
}

// edge adds what a load from column c on of NEON needs: for each lane the numbers of the bytes that it takes from the four
// columns that are loaded, or numbers that there are not, and how many bytes after column c those columns are.
func (b *PlanesBlocks) edge(c, inW int) {
	from := min(max(c, 0), inW-neonLanes)
	for i := range neonLanes {
		bytes := int32(-1)
		if c+i >= 0 && c+i < inW {
			bytes = 0x03020100 + int32(4*(c+i-from))*0x01010101
		}
		b.Masks = append(b.Masks, bytes)
	}
	move := int64(4 * (from - c))
	b.Masks = append(b.Masks, int32(move), int32(move>>32), 0, 0)
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
