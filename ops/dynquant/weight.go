package dynquant

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// weight is a constant matrix on its way to int8: [..., K, N], or [..., N, K] when trans.
type weight struct {
	float []float32 // nil for one that is integer in the file
	ints  *tensor.Tensor
	scale []float32 // of ints: one, or one per column
	zero  *tensor.Tensor
	shape []int
	trans bool
}

// columns is the number of output channels of each matrix.
func (w *weight) columns() int {
	if w.trans {
		return w.shape[len(w.shape)-2]
	}
	return w.shape[len(w.shape)-1]
}

func (w *weight) depth() int {
	if w.trans {
		return w.shape[len(w.shape)-1]
	}
	return w.shape[len(w.shape)-2]
}

// batches is the number of matrices.
func (w *weight) batches() int {
	n := 1
	for _, d := range w.shape[:len(w.shape)-2] {
		n *= d
	}
	return n
}

// quantized is an int8 (or, taken over from the file, uint8) weight with its parameters as tensors.
type quantized struct {
	w, scale, zero *tensor.Tensor // zero is nil for symmetric weights
	trans          bool
}

// bytes is the memory of the elements and their parameters.
func (q *quantized) bytes() int64 {
	n := int64(len(q.w.Bytes()) + len(q.scale.Bytes()))
	if q.zero != nil {
		n += int64(len(q.zero.Bytes()))
	}
	return n
}

// minNormal is the smallest normal float32: below it a scale would lose its bits, and becomes 1.
const minNormal = 0x1p-126

// quantize rounds a float weight to int8, symmetric with a scale per output column: scale = A/127 with A the largest
// magnitude of the column (1 where that is below the smallest normal float32), q = clip(rne(w/scale), -127, 127). It
// refuses weights that are not finite.
func (w *weight) quantize() (*quantized, error) {
	if w.ints != nil {
		s, err := tensor.Of(w.scale, len(w.scale))
		return &quantized{w.ints, s, w.zero, w.trans}, err
	}
	k, n, batches := w.depth(), w.columns(), w.batches()
	q := make([]int8, len(w.float))
	scale := make([]float32, batches*n)
	for b := range batches {
		src, dst, s := w.float[b*k*n:(b+1)*k*n], q[b*k*n:(b+1)*k*n], scale[b*n:(b+1)*n]
		var err error
		if w.trans {
			err = quantizeRowsOf(dst, src, s, k)
		} else {
			err = quantizeColumnsOf(dst, src, s, n)
		}
		if err != nil {
			return nil, err
		}
	}
	qt, err := tensor.Of(q, w.shape...)
	if err != nil {
		return nil, err
	}
	st, err := tensor.Of(scale, len(scale))
	return &quantized{w: qt, scale: st, trans: w.trans}, err
}

var errNotFinite = fmt.Errorf("the weight has elements that are NaN or infinite")

func scaleOf(a float32) (float32, error) {
	if a != a || math.IsInf(float64(a), 0) {
		return 0, errNotFinite
	}
	s := float32(float64(a) / 127)
	if s < minNormal {
		return 1, nil
	}
	return s, nil
}

// quantizeRowsOf quantizes a matrix whose rows of length k are the output columns.
func quantizeRowsOf(dst []int8, src, scale []float32, k int) error {
	for n := range scale {
		row, out := src[n*k:(n+1)*k], dst[n*k:(n+1)*k]
		var a float32
		for _, x := range row {
			a = max(a, abs(x))
		}
		s, err := scaleOf(a)
		if err != nil {
			return err
		}
		scale[n] = s
		for i, x := range row {
			out[i] = roundI8(x / s)
		}
	}
	return nil
}

// quantizeColumnsOf quantizes a matrix with rows of length n.
func quantizeColumnsOf(dst []int8, src, scale []float32, n int) error {
	clear(scale)
	for r := 0; r < len(src); r += n {
		for j, x := range src[r : r+n] {
			scale[j] = max(scale[j], abs(x))
		}
	}
	for j, a := range scale {
		s, err := scaleOf(a)
		if err != nil {
			return err
		}
		scale[j] = s
	}
	for r := 0; r < len(src); r += n {
		out := dst[r : r+n]
		for j, x := range src[r : r+n] {
			out[j] = roundI8(x / scale[j])
		}
	}
	return nil
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// roundI8 rounds to the nearest integer, ties to even, within [-127, 127]. Adding 1.5*2^23 leaves no fraction bits.
func roundI8(x float32) int8 {
	const magic = 3 << 22
	x = min(max(x, -127), 127)
	return int8(float32(x+magic) - magic)
}

// floats returns the elements of a float tensor as float32; ok is false for other types.
func floats(t *tensor.Tensor) (v []float32, ok bool) {
	switch t.DType() {
	case tensor.Float32:
		return tensor.View[float32](t), true
	case tensor.Float16:
		for _, h := range tensor.View[tensor.F16](t) {
			v = append(v, h.Float32())
		}
		return v, true
	case tensor.BFloat16:
		for _, h := range tensor.View[tensor.BF16](t) {
			v = append(v, h.Float32())
		}
		return v, true
	}
	return nil, false
}

// constWeight finds the constant matrix behind v: a float constant, or one that Transpose, Cast, a multiplication by
// scales or DequantizeLinear makes from a constant. An integer weight whose scales run along its output columns is taken
// as it is; any other is widened, to be quantized again. reason says why there is none. trans says that the node reads
// v with its last two dimensions exchanged.
func (p *pass) constWeight(v *graph.Value, trans bool) (w *weight, reason string) {
	if t := v.Const; t != nil {
		return floatWeight(t, trans)
	}
	n := p.pc.Maker(v)
	if n == nil {
		return nil, reasonComputed
	}
	if !p.c.Half {
		if w := p.integerWeight(n, trans); w != nil {
			return w, ""
		}
	}
	t := p.evaluate(v, 0)
	if t == nil {
		return nil, reasonComputed
	}
	return floatWeight(t, trans)
}

const reasonComputed = "both sides are computed"

func floatWeight(t *tensor.Tensor, trans bool) (*weight, string) {
	if t.Rank() < 2 {
		return nil, fmt.Sprintf("a weight of %d dimensions is no matrix", t.Rank())
	}
	f, ok := floats(t)
	if !ok {
		return nil, fmt.Sprintf("a weight of type %v is not quantized", t.DType())
	}
	if len(f) == 0 {
		return nil, "the weight is empty"
	}
	return &weight{float: f, shape: t.Shape(), trans: trans}, ""
}
