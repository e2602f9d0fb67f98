package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) matMulNBits() []graph.Def {
	return []graph.Def{{Domain: microsoft, Op: "MatMulNBits", Since: 1, New: l.newMatMulNBits, Types: scaleTypes}}
}

// matMulNBits is the product of float A [..., K] and the transpose of B [N, K], stored in blocks of 2-, 4- or 8-bit codes
// and widened block by block while running. Inputs: A, B uint8 [N, blocks, bytes], scales [N*blocks], zero points
// (packed codes, or floats), g_idx (the block of each k), bias [N]. accuracy_level, a licence to compute less exactly,
// is not used.
type matMulNBits struct {
	l              lib
	k, n           int
	bits, block    int
	hasZero, group bool
	weight         *blockWeight
}

func (l lib) newMatMulNBits(a *graph.Attrs) (graph.Op, error) {
	a.Require("K", "N", "block_size")
	a.Only("bits", 4, 2, 8)
	a.Ignore("accuracy_level")
	o := &matMulNBits{l: l, k: int(a.Int("K", 0)), n: int(a.Int("N", 0)), bits: int(a.Int("bits", 4)), block: int(a.Int("block_size", 0)),
		hasZero: a.HasIn(3), group: a.HasIn(4)}
	const most = 1 << 30 // so that no product of them overflows
	if o.k < 1 || o.n < 1 || o.block < 1 || max(o.k, o.n, o.block) > most || o.block*o.bits%8 != 0 {
		return nil, fmt.Errorf("attributes K, N and block_size are %d, %d and %d", o.k, o.n, o.block)
	}
	return o, nil
}

func (o *matMulNBits) blocks() int { return (o.k + o.block - 1) / o.block }

func (o *matMulNBits) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 3, 6); err != nil {
		return err
	}
	for _, i := range []int{0, 2, 5} {
		if err := wantType(c, i, "input, scales or bias", scaleTypes...); err != nil {
			return err
		}
	}
	if err := wantType(c, 1, "packed weights", tensor.Uint8); err != nil {
		return err
	}
	if err := wantType(c, 3, "zero points", append([]tensor.DType{tensor.Uint8}, scaleTypes...)...); err != nil {
		return err
	}
	if err := wantType(c, 4, "g_idx", tensor.Int32); err != nil {
		return err
	}
	zeros := o.n * ((o.blocks()*o.bits + 7) / 8)
	if c.In(3).DType != tensor.Uint8 {
		zeros = o.n * o.blocks()
	}
	for _, x := range []struct {
		i    int
		what string
		n    int
	}{{1, "packed weights", o.n * o.blocks() * o.block * o.bits / 8}, {2, "scales", o.n * o.blocks()}, {3, "zero points", zeros}, {5, "bias", o.n}} {
		if s := c.In(x.i); c.Has(x.i) && s.Ranked {
			if n := product(s.Dims); n.Known() && n.Size != x.n {
				return fmt.Errorf("%s %v, want %d elements", x.what, s, x.n)
			}
		}
	}
	// g_idx may be padded to whole blocks
	if s := c.In(4); c.Has(4) && s.Complete() && product(s.Dims).Size < o.k {
		return fmt.Errorf("g_idx %v, want %d elements", s, o.k)
	}
	a := c.In(0)
	if !a.Ranked {
		c.Out(0, a)
		return nil
	}
	if len(a.Dims) == 0 || a.Dims[len(a.Dims)-1].Known() && a.Dims[len(a.Dims)-1].Size != o.k {
		return fmt.Errorf("input %v, want a last dimension of %d", a, o.k)
	}
	dims := append([]tensor.Dim{}, a.Dims...)
	dims[len(dims)-1] = tensor.Fixed(o.n)
	c.Out(0, tensor.Ranked(a.DType, dims))
	return nil
}

func (o *matMulNBits) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	if at(consts, 1) == nil || at(consts, 2) == nil || o.hasZero && at(consts, 3) == nil || o.group && at(consts, 4) == nil {
		return o, nil, nil
	}
	w, err := o.ready(consts)
	if err != nil {
		return nil, nil, err
	}
	p := *o
	p.weight = w
	used := []int{2} // the codes of B are used as they are
	for i := 3; i <= 4; i++ {
		if at(consts, i) != nil {
			used = append(used, i)
		}
	}
	return &p, used, nil
}

// ready reads scales, zero points and blocks.
func (o *matMulNBits) ready(in []*tensor.Tensor) (*blockWeight, error) {
	w := &blockWeight{bits: o.bits, block: o.block, perRow: o.blocks(), rowBytes: o.blocks() * o.block * o.bits / 8}
	w.scale, _ = floats(in[2])
	if z := at(in, 3); z != nil {
		w.zero = unpackZeros(z, o.n, w.perRow, o.bits)
	}
	if g := at(in, 4); g != nil {
		w.blockOfAt = tensor.View[int32](g)[:o.k]
		for _, b := range w.blockOfAt {
			if b < 0 || int(b) >= w.perRow {
				return nil, fmt.Errorf("g_idx has the block %d of %d", b, w.perRow)
			}
		}
	}
	return w, nil
}

// nBitsJob multiplies by blocks of rows of B, each widened and packed by whoever takes it.
type nBitsJob struct {
	k       *backend.Kernels
	w       blockWeight
	m, d, n int
	a, y    []float32
	bias    []float32
	rows    int
	slots   []nBitsSlot
	wide    []float32
	packed  []float32
	lenPack int
	// With byKernel the elements of A and B are in the order of few, which has more of them than A.
	byKernel bool
	few      fewNBitsJob
}

type nBitsSlot struct {
	gemm backend.GemmF32
	b    backend.PackedF32
}

var _ par.WorkerBody = (*nBitsJob)(nil)

// nBitsRows is how many rows of B are widened at a time: whole panels of every kernel.
const nBitsRows = 48

func (o *matMulNBits) Run(c *graph.RunCtx) error {
	w := o.weight
	if w == nil {
		var err error
		if w, err = o.ready(c.In); err != nil {
			return err
		}
	}
	j := graph.State[nBitsJob](c)
	defer func() {
		clear(j.slots)
		*j = nBitsJob{slots: j.slots[:0]}
	}()
	x, y := c.In[0], c.Out[0]
	if y.Len() == 0 {
		return nil
	}
	*j = nBitsJob{k: o.l.k, w: *w, m: y.Len() / o.n, d: o.k, n: o.n, a: floatParams(c, x), rows: nBitsRows, slots: j.slots[:0]}
	j.w.codes = c.In[1].Bytes()
	if t := at(c.In, 5); t != nil {
		j.bias = floatParams(c, t)
	}
	if y.DType() == tensor.Float32 {
		j.y = tensor.View[float32](y)
	} else {
		j.y = scratch[float32](c, y.Len())
	}
	if j.byKernel = o.byKernel(w); j.byKernel {
		o.prepare(c, j)
		if j.m <= fewNBitsRows {
			if err := c.For(o.n, 1+fewNBitsWork/j.few.wide, &j.few); err != nil {
				return err
			}
			narrowFloats(y, j.y)
			return nil
		}
		j.a, j.d = j.few.a, j.few.wide
	}
	blocks := (o.n + j.rows - 1) / j.rows
	threads := min(c.Threads(), blocks)
	for range threads {
		j.slots = append(j.slots, nBitsSlot{})
	}
	j.lenPack = (o.l.k.PackedF32Len(j.d, j.rows) + 15) &^ 15
	j.wide, j.packed = scratch[float32](c, threads*j.rows*j.d), scratch[float32](c, threads*j.lenPack)
	if err := c.For(blocks, 1, j); err != nil {
		return err
	}
	narrowFloats(y, j.y)
	return nil
}

// narrowFloats rounds to the type of t where that is not float32.
func narrowFloats(t *tensor.Tensor, f []float32) {
	switch t.DType() {
	case tensor.Float16:
		for i, v := range f {
			tensor.View[tensor.F16](t)[i] = tensor.ToF16(v)
		}
	case tensor.BFloat16:
		for i, v := range f {
			tensor.View[tensor.BF16](t)[i] = tensor.ToBF16(v)
		}
	}
}

func (j *nBitsJob) Do(lo, hi int) { j.DoAs(0, lo, hi) }

func (j *nBitsJob) DoAs(worker, lo, hi int) {
	s := &j.slots[worker]
	for i := lo; i < hi; i++ {
		first := i * j.rows
		n := min(j.rows, j.n-first)
		wide := j.wide[worker*j.rows*j.d:][:n*j.d]
		for r := range n {
			if row := wide[r*j.d : (r+1)*j.d]; j.byKernel {
				j.k.WidenNBits(row, &j.few.b, first+r)
			} else {
				j.w.row(row, first+r)
			}
		}
		j.k.PackF32Into(&s.b, j.packed[worker*j.lenPack:][:j.lenPack], wide, j.d, n, j.d, true)
		s.gemm = backend.GemmF32{M: j.m, A: j.a, LDA: j.d, B: &s.b, C: j.y[first:], LDC: j.n}
		if j.bias != nil {
			s.gemm.Epi.Bias = j.bias[first : first+n]
		}
		s.gemm.Init(j.k, 1)
		s.gemm.Do(0, s.gemm.Tasks())
	}
}
