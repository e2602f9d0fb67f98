package dynquant

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// weight is a constant matrix on its way to int8: [..., K, N], or [..., N, K] when trans.
type weight struct {
	float []float32      // nil for one that is integer in the file
	src   *tensor.Tensor // float's tensor, nil where float was widened
	ints  *tensor.Tensor
	scale []float32 // of ints: one, or one per column
	zero  *tensor.Tensor
	shape []int
	trans bool
	once  sync.Once   // of top
	top   [][]float32 // see tops
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
// magnitude of the column (1 where that is below the smallest normal float32), q = clip(rne(w/scale), -127, 127).
//
// repeat lists channels of the depth that the activation repeats behind its last one (see splits). A channel that
// appears c times in all counts with its c-th part in A, and its elements, up to 127*c, are shared out over the copies.
// It refuses weights that are not finite.
func (w *weight) quantize(kern *backend.Kernels, repeat []int) (*quantized, error) {
	if w.ints != nil {
		s, err := tensor.Of(w.scale, len(w.scale))
		return &quantized{w.ints, s, w.zero, w.trans}, err
	}
	scale, err := w.scales(kern, repeat)
	if err != nil {
		return nil, err
	}
	depth, n := w.depth()+len(repeat), w.columns()
	q := make([]int8, w.batches()*depth*n)
	for b := range w.batches() {
		w.fill(kern, q[b*depth*n:(b+1)*depth*n], b, scale, repeat)
	}
	shape := slices.Clone(w.shape)
	if w.trans {
		shape[len(shape)-1] = depth
	} else {
		shape[len(shape)-2] = depth
	}
	qt, err := tensor.Of(q, shape...)
	if err != nil {
		return nil, err
	}
	st, err := tensor.Of(scale, len(scale))
	return &quantized{w: qt, scale: st, trans: w.trans}, err
}

// scales are those of quantize, for the columns of each matrix.
func (w *weight) scales(kern *backend.Kernels, repeat []int) ([]float32, error) {
	return backend.Cached(kern, w.float, w.recipe("scales", repeat), func() ([]float32, error) { return w.findScales(kern, repeat) })
}

func (w *weight) findScales(kern *backend.Kernels, repeat []int) ([]float32, error) {
	n, tops := w.columns(), w.tops(kern)
	copies := copiesOf(w.depth(), repeat)
	scale := make([]float32, w.batches()*n)
	for b := range tops {
		m := w.matrix(kern, b, scale, repeat)
		if err := m.scales(tops[b], repeat, copies); err != nil {
			return nil, err
		}
	}
	return scale, nil
}

// fill quantizes matrix b with scales of the columns of all matrices.
func (w *weight) fill(kern *backend.Kernels, dst []int8, b int, scale []float32, repeat []int) {
	m := w.matrix(kern, b, scale, repeat)
	m.dst = dst
	m.round()
	m.share(repeat, copiesOf(m.k, repeat))
}

func (w *weight) matrix(kern *backend.Kernels, b int, scale []float32, repeat []int) matrix {
	k, n := w.depth(), w.columns()
	return matrix{kern: kern, src: w.float[b*k*n : (b+1)*k*n], scale: scale[b*n : (b+1)*n], k: k, n: n, depth: k + len(repeat), trans: w.trans}
}

// tensor is the float weight as a tensor.
func (w *weight) tensor() (*tensor.Tensor, error) {
	if w.src != nil {
		return w.src, nil
	}
	return tensor.Of(w.float, w.shape...)
}

// release gives the memory of a weight that was read through back, where it is in a mapped file.
func (w *weight) release() {
	if w.src != nil {
		graph.Release(w.src)
	}
}

// copiesOf counts how often each channel appears.
func copiesOf(k int, repeat []int) []float32 {
	c := make([]float32, k)
	for i := range c {
		c[i] = 1
	}
	for _, i := range repeat {
		c[i]++
	}
	return c
}

// matrix is one matrix of a weight on its way to int8.
type matrix struct {
	kern        *backend.Kernels
	src         []float32
	dst         []int8 // with the repeated channels behind the others
	scale       []float32
	k, n, depth int
	trans       bool
}

var errNotFinite = errors.New("the weight has elements that are NaN or infinite")

// scales finds the scale of each column, whose largest magnitudes are in top. Rows that appear more than once count with
// a part of theirs.
func (m *matrix) scales(top []float32, repeat []int, copies []float32) error {
	copy(m.scale, top)
	if len(repeat) > 0 {
		m.sharedTops(copies)
	}
	for j, a := range m.scale {
		s, err := scaleOf(a)
		if err != nil {
			return err
		}
		m.scale[j] = s
	}
	return nil
}

// sharedTops sets scale to the largest magnitudes of the columns when channels appear several times.
func (m *matrix) sharedTops(copies []float32) {
	clear(m.scale)
	row := make([]float32, max(m.k, m.n))
	for i := 0; m.trans && i < m.n; i++ {
		row := row[:m.k]
		m.kern.Unary(backend.Abs, row, m.src[i*m.k:(i+1)*m.k], 0, 0)
		m.kern.Binary(backend.Div, row, row, copies)
		m.scale[i] = m.kern.MaxOf(row)
	}
	for i := 0; !m.trans && i < m.k; i++ {
		row := row[:m.n]
		m.kern.Unary(backend.Abs, row, m.src[i*m.n:(i+1)*m.n], 0, 0)
		if copies[i] != 1 {
			m.kern.Binary(backend.Div, row, row, copies[i:i+1])
		}
		m.kern.Binary(backend.Max, m.scale, m.scale, row)
	}
}

// scaleOf is the scale of a column or row whose largest magnitude is a.
func scaleOf(a float32) (float32, error) {
	if a != a || math.IsInf(float64(a), 0) {
		return 0, errNotFinite
	}
	if s := float32(float64(a) / 127); s >= minNormal {
		return s, nil
	}
	return 1, nil
}

// round quantizes every element as if no channel were repeated.
func (m *matrix) round() {
	if m.trans {
		for j, s := range m.scale {
			roundRow(m.kern, m.dst[j*m.depth:][:m.k], m.src[j*m.k:(j+1)*m.k], s)
		}
		return
	}
	row := make([]float32, m.n)
	for i := range m.k {
		m.kern.Binary(backend.Div, row, m.src[i*m.n:(i+1)*m.n], m.scale)
		roundRow(m.kern, m.dst[i*m.n:(i+1)*m.n], row, 1)
	}
}

// roundRow computes dst[i] = clip(rne(src[i]/scale), -127, 127). It goes through the kernel for uint8: with a zero point
// of 128 the results differ in the sign bit alone. No magnitude is above 127*scale but that of an element that is
// shared out, whose -128 becomes -127.
func roundRow(kern *backend.Kernels, dst []int8, src []float32, scale float32) {
	bytes := unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst))
	kern.QuantizeU8(bytes, src, scale, 128)
	i := 0
	for ; i+8 <= len(bytes); i += 8 {
		w := binary.NativeEndian.Uint64(bytes[i:])
		if (w-lowBits)&^w&highBits != 0 { // a zero byte, which stands for -128
			break
		}
		binary.NativeEndian.PutUint64(bytes[i:], w^highBits)
	}
	for ; i < len(bytes); i++ {
		bytes[i] = max(bytes[i], 1) ^ 0x80
	}
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// share gives the copies of each repeated channel what its first place could not hold.
func (m *matrix) share(repeat []int, copies []float32) {
	left := map[int][]int32{}
	for c, i := range repeat {
		rest := left[i]
		if rest == nil {
			rest = make([]int32, m.n)
			for j := range rest {
				x := m.at(i, j)
				limit := 127 * copies[i]
				v := int32(math.RoundToEven(float64(min(max(x/m.scale[j], -limit), limit))))
				rest[j] = v - int32(*m.to(i, j))
			}
			left[i] = rest
		}
		for j, r := range rest {
			q := min(max(r, -127), 127)
			*m.to(m.k+c, j) = int8(q)
			rest[j] = r - q
		}
	}
}

func (m *matrix) at(i, j int) float32 {
	if m.trans {
		return m.src[j*m.k+i]
	}
	return m.src[i*m.n+j]
}

func (m *matrix) to(i, j int) *int8 {
	if m.trans {
		return &m.dst[j*m.depth+i]
	}
	return &m.dst[i*m.n+j]
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
	w := &weight{float: f, shape: t.Shape(), trans: trans}
	if t.DType() == tensor.Float32 {
		w.src = t
	}
	return w, ""
}
