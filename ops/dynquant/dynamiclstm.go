package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/ops"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) dynamicLSTMs() []graph.Def {
	return []graph.Def{{Domain: microsoft, Op: "DynamicQuantizeLSTM", Since: 1, New: l.newDynamicLSTM, Types: []tensor.DType{tensor.Float32}}}
}

// Inputs of DynamicQuantizeLSTM; those up to P are LSTM's.
const (
	lstmX      = 0
	lstmW      = 1
	lstmR      = 2
	lstmScaleW = 8
	lstmZeroW  = 9
	lstmScaleR = 10
	lstmZeroR  = 11
)

// dynamicLSTM is LSTM with weights W [dirs, in, 4*hidden] and R [dirs, hidden, 4*hidden] of int8 or uint8, with a scale
// and zero point per direction or per column of each direction. The input is quantized once, the state in every step, as
// DynamicQuantizeLinear does.
type dynamicLSTM struct {
	l       lib
	lstm    *ops.LSTM
	hasZero [2]bool             // of W and R
	w, r    []*backend.PackedI8 // by direction, of constant weights
	hidden  int
}

func (l lib) newDynamicLSTM(a *graph.Attrs) (graph.Op, error) {
	lstm, err := ops.NewLSTM(l.k, a)
	if err != nil {
		return nil, err
	}
	return &dynamicLSTM{l: l, lstm: lstm, hasZero: [2]bool{a.HasIn(lstmZeroW), a.HasIn(lstmZeroR)}}, nil
}

func (o *dynamicLSTM) KernelName() string { return "u8s8/" + o.l.k.Name() }

func (o *dynamicLSTM) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 3, lstmZeroR+1); err != nil {
		return err
	}
	if !c.Has(lstmScaleW) || !c.Has(lstmScaleR) {
		return fmt.Errorf("a scale of the weights is missing")
	}
	for _, i := range []int{lstmX, 3, 5, 6, 7, lstmScaleW, lstmScaleR} {
		if err := wantType(c, i, "input, bias, state or scale", tensor.Float32); err != nil {
			return err
		}
	}
	if err := wantType(c, 4, "sequence_lens", tensor.Int32); err != nil {
		return err
	}
	for _, x := range [][3]int{{lstmW, lstmScaleW, lstmZeroW}, {lstmR, lstmScaleR, lstmZeroR}} {
		if err := wantType(c, x[0], "weights", byteTypes...); err != nil {
			return err
		}
		if err := wantSameType(c, x[0], x[2], "weights and zero point"); err != nil {
			return err
		}
		for _, i := range x[1:] {
			if err := o.checkParam(c, i, c.In(x[0])); err != nil {
				return err
			}
		}
	}
	w, wok := c.In(lstmW).Shape()
	r, rok := c.In(lstmR).Shape()
	if !wok || !rok {
		for i := range 3 {
			c.Out(i, tensor.Unranked(tensor.Float32))
		}
		return nil
	}
	if dirs := o.lstm.Directions(); len(w) != 3 || len(r) != 3 || w[0] != dirs || r[0] != dirs || w[2] != r[2] || w[2] != 4*r[1] {
		return fmt.Errorf("weights %v and %v, want [%d, input, 4*hidden] and [%d, hidden, 4*hidden]", c.In(lstmW), c.In(lstmR), dirs, dirs)
	}
	for _, k := range []int{w[1], r[1]} {
		if err := checkDepth(tensor.Fixed(k)); err != nil {
			return err
		}
	}
	return o.lstm.Infer(c, w[1], r[1])
}

// checkParam checks a scale or zero point: one element, or [dirs], or [dirs, columns].
func (o *dynamicLSTM) checkParam(c *graph.InferCtx, i int, w tensor.Spec) error {
	s := c.In(i)
	if !c.Has(i) || !s.Complete() || !w.Complete() || len(w.Dims) != 3 {
		return nil
	}
	n, dirs := product(s.Dims).Size, w.Dims[0].Size
	if n == 1 || n == dirs && len(s.Dims) == 1 || n == dirs*w.Dims[2].Size {
		return nil
	}
	return fmt.Errorf("scale or zero point %v does not fit the weights %v", s, w)
}

func (o *dynamicLSTM) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	p := *o
	var used []int
	for k, x := range [][3]int{{lstmW, lstmScaleW, lstmZeroW}, {lstmR, lstmScaleR, lstmZeroR}} {
		w, s, z := at(consts, x[0]), at(consts, x[1]), at(consts, x[2])
		if w == nil || s == nil || o.hasZero[k] && z == nil || w.Len() == 0 {
			return o, nil, nil
		}
		packs := o.pack(w, s, z)
		if k == 0 {
			p.w = packs
		} else {
			p.r, p.hidden = packs, w.Shape()[1]
		}
		used = append(used, x[0], x[1])
		if z != nil {
			used = append(used, x[2])
		}
	}
	return &p, used, nil
}

func (o *dynamicLSTM) pack(w, scale, zero *tensor.Tensor) []*backend.PackedI8 {
	dirs, k, n := w.Shape()[0], w.Shape()[1], w.Shape()[2]
	data, offset := signed(w)
	s, z := tensor.View[float32](scale), zeroPoints(zero, offset)
	packs := make([]*backend.PackedI8, dirs)
	for d := range packs {
		packs[d] = o.l.k.PackI8(data[d*k*n:(d+1)*k*n], k, n, n, false, ofDirection(s, d, dirs), ofDirection(z, d, dirs))
	}
	return packs
}

// ofDirection is the part of parameters that belongs to direction d: all when there is one for all directions.
func ofDirection[T any](v []T, d, dirs int) []T {
	if len(v) <= 1 {
		return v
	}
	n := len(v) / dirs
	return v[d*n : (d+1)*n]
}

// lstmState is what a run keeps; it makes the products of the layer.
type lstmState struct {
	layer ops.LSTMState
	k     *backend.Kernels
	w, r  []*backend.PackedI8
	rows  rowsJob // of the input
	gemm  backend.GemmU8S8
	steps [2]stepProduct
}

// stepProduct is the product of the quantized state, of one direction.
type stepProduct struct {
	gemm  backend.GemmU8S8
	q     []uint8
	sum   []int32
	scale [1]float32
	zero  [1]int32
}

func (o *dynamicLSTM) Run(c *graph.RunCtx) error {
	st := graph.State[lstmState](c)
	w, r, h := o.w, o.r, o.hidden
	if w == nil {
		w, r = o.pack(c.In[lstmW], c.In[lstmScaleW], at(c.In, lstmZeroW)), o.pack(c.In[lstmR], c.In[lstmScaleR], at(c.In, lstmZeroR))
		h = c.In[lstmR].Shape()[1]
	}
	x := c.In[lstmX]
	in := x.Shape()[2]
	rows, batch := x.Shape()[0]*x.Shape()[1], max(x.Shape()[0], x.Shape()[1])
	st.k, st.w, st.r = o.l.k, w, r
	defer func() {
		st.rows.reset()
		st.w, st.r, st.gemm, st.steps = nil, nil, backend.GemmU8S8{}, [2]stepProduct{}
	}()
	st.rows = rowsJob{k: o.l.k, x: tensor.View[float32](x), width: in, stride: o.l.k.StrideU8(in), parts: st.rows.parts,
		scale: scratch[float32](c, 1), zero: scratch[int32](c, 1), sum: scratch[int32](c, rows)}
	st.rows.q = scratch[uint8](c, rows*st.rows.stride)
	if err := st.rows.quantizeWhole(c); err != nil {
		return err
	}
	for d := range o.lstm.Directions() {
		st.steps[d] = stepProduct{q: scratch[uint8](c, batch*o.l.k.StrideU8(h)), sum: scratch[int32](c, batch)}
	}
	return o.lstm.Run(c, &st.layer, h, st)
}

// Project multiplies the quantized input by W.
func (st *lstmState) Project(c *graph.RunCtx, d int, dst, bias []float32) error {
	j, b := &st.rows, st.w[d]
	st.gemm = backend.GemmU8S8{M: len(j.sum), A: j.q, LDA: j.stride, ZeroA: j.zero, ScaleA: j.scale, RowSumA: j.sum, B: b, C: dst, LDC: b.N}
	st.gemm.Epi.Bias = bias
	st.gemm.Init(st.k, c.Threads())
	return c.For(st.gemm.Tasks(), 1, &st.gemm)
}

// Step quantizes the state and multiplies it by R.
func (st *lstmState) Step(c *graph.RunCtx, d int, dst, state []float32, rows int, add []float32, ld int) error {
	s, b := &st.steps[d], st.r[d]
	h := b.K
	stride := st.k.StrideU8(h)
	part := rangeOf(st.k, state)
	scale, zero := backend.QuantizationU8(part.mn, part.mx)
	s.scale[0], s.zero[0] = scale, int32(zero)
	for r := range rows {
		row := s.q[r*stride : (r+1)*stride]
		clear(row[h:])
		s.sum[r] = st.k.QuantizeU8(row[:h], state[r*h:(r+1)*h], scale, zero)
	}
	s.gemm = backend.GemmU8S8{M: rows, A: s.q, LDA: stride, ZeroA: s.zero[:], ScaleA: s.scale[:], RowSumA: s.sum, B: b, C: dst, LDC: b.N}
	s.gemm.Epi.Residual, s.gemm.Epi.LDR = add, ld
	if c == nil {
		s.gemm.Init(st.k, 1)
		s.gemm.Do(0, s.gemm.Tasks())
		return nil
	}
	s.gemm.Init(st.k, c.Threads())
	return c.For(s.gemm.Tasks(), 1, &s.gemm)
}
