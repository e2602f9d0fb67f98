package dynquant

import "github.com/qrun-onnx/qrun/tensor"

// byteGrid is the grid of an 8-bit result: its zero point, and the least and the largest number of its type less the
// zero point.
type byteGrid struct {
	zero   int32
	low    int32 // the least number of the type
	lo, hi float32
}

// byteGridOf is the grid of type d with this zero point.
func byteGridOf(d tensor.DType, zero int32) byteGrid {
	if d == tensor.Int8 {
		return byteGrid{zero, -128, float32(-128 - zero), float32(127 - zero)}
	}
	return byteGrid{zero, 0, float32(-zero), float32(255 - zero)}
}

// byte is rne(v) + zero, clipped; NaN becomes the least number. Adding 1.5*2^23 leaves no fraction bits.
func (g *byteGrid) byte(v float32) uint8 {
	const magic = 3 << 22
	if !(v > g.lo) {
		v = g.lo
	}
	if v > g.hi {
		v = g.hi
	}
	return uint8(int32(float32(v+magic)-magic) + g.zero)
}

// requantizer brings the int32 sums of a product with n columns to 8 bits,
//
//	y = clip(rne(float32(acc + bias) * scale) + zero),  scale = scaleA*scaleB/scaleY
//
// or, with f, to float32: y = float32(acc + bias) * scale.
type requantizer struct {
	acc    []int32
	n      int
	scaleA []float32 // one or one per row
	scaleB []float32 // one or one per column
	scaleY float32

	bias             []int32
	biasRow, biasCol int // distance of the bias of the next row and of the next column

	scale []float32 // of the columns, when all rows have the same
	grid  byteGrid
	out   []uint8
	f     []float32
}

// combine finds the scales of the columns in memory for n numbers.
func (j *requantizer) combine(scale []float32) {
	if len(j.scaleA) > 1 {
		return
	}
	j.scale = scale
	for i := range scale {
		scale[i] = float32(j.scaleA[0]*j.scaleB[min(i, len(j.scaleB)-1)]) / j.scaleY
	}
}

func (j *requantizer) Do(lo, hi int) {
	for r := lo; r < hi; r++ {
		acc := j.acc[r*j.n : (r+1)*j.n]
		for i, v := range acc {
			if j.bias != nil {
				v += j.bias[r*j.biasRow+i*j.biasCol]
			}
			x := float32(v)
			if j.scale != nil {
				x *= j.scale[i]
			} else {
				x *= float32(j.scaleA[r]*j.scaleB[min(i, len(j.scaleB)-1)]) / j.scaleY
			}
			if j.f != nil {
				j.f[r*j.n+i] = x
			} else {
				j.out[r*j.n+i] = j.grid.byte(x)
			}
		}
	}
}
