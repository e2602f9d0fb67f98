package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// cellWeights are a layer's weights, per direction.
type cellWeights struct {
	w, r []*backend.PackedF32 // [I, gates*H], [H, gates*H]; r without gate h of a GRU that resets first
	rh   []*backend.PackedF32 // [H, H]: that gate
	bias [][]float32          // gates*H: the sum of both biases; of gate h of a GRU with linearFirst, only the input's
	rb   [][]float32          // H: the recurrent bias of that gate
}

// pack brings weights of hidden size h to the kernels' layout. b may be nil.
func (o *recurrent) pack(w, r, b []float32, h int) *cellWeights {
	n := int(o.kind) * h
	in := len(w) / (o.dirs * n)
	cw := &cellWeights{}
	k := o.l.k
	for d := range o.dirs {
		wd, rd := w[d*n*in:(d+1)*n*in], r[d*n*h:(d+1)*n*h]
		cw.w = append(cw.w, k.PackF32(wd, in, n, in, true))
		first := n
		if o.kind == cellGRU && !o.linearFirst {
			first = 2 * h
			cw.rh = append(cw.rh, k.PackF32(rd[first*h:], h, h, h, true))
		}
		cw.r = append(cw.r, k.PackF32(rd, h, first, h, true))
	}
	o.setBias(cw, b, h)
	return cw
}

func (o *recurrent) setBias(cw *cellWeights, b []float32, h int) {
	cw.bias, cw.rb = nil, nil
	n := int(o.kind) * h
	for d := range o.dirs {
		bias, rb := make([]float32, n), make([]float32, h)
		if b != nil {
			bw, br := b[2*d*n:(2*d+1)*n], b[(2*d+1)*n:(2*d+2)*n]
			for i := range bias {
				bias[i] = bw[i] + br[i]
			}
			if o.kind == cellGRU && o.linearFirst {
				copy(bias[2*h:], bw[2*h:])
				copy(rb, br[2*h:])
			}
		}
		cw.bias, cw.rb = append(cw.bias, bias), append(cw.rb, rb)
	}
}

// recurrentState is what a run of a recurrent layer keeps.
type recurrentState struct {
	gemm    backend.GemmF32
	dirs    [2]direction
	weights cellWeights // with a bias that is not constant
}

// direction is the work of one direction of a layer.
type direction struct {
	o                  *recurrent
	c                  *graph.RunCtx // for the steps' products; nil: on this goroutine
	d, steps, batch, h int
	lens               []int32
	weights            *cellWeights
	products           RecurrentProducts
	proj               []float32 // [steps, batch, gates*H] in the order of the layout
	state, cell        []float32 // [batch, H]
	gates, tmp         []float32 // [batch, gates*H], [batch, H]
	peep               []float32
	y, yh, yc          []float32
	gemm               backend.GemmF32
	err                error
}

// Do runs directions side by side.
func (j *recurrentState) Do(lo, hi int) {
	for d := lo; d < hi; d++ {
		j.dirs[d].run()
	}
}

func (o *recurrent) runFloat32(c *graph.RunCtx) error {
	st := graph.State[recurrentState](c)
	cw, h := o.weights, 0
	if cw == nil {
		h = c.In[rnnR].Shape()[2]
		cw = o.pack(tensor.View[float32](c.In[rnnW]), tensor.View[float32](c.In[rnnR]), nil, h)
	} else {
		h = o.shapeR[2]
	}
	if b := optional(c, rnnB); b != nil {
		st.weights = *cw
		cw = &st.weights
		o.setBias(cw, b, h)
	}
	return o.runLayer(c, st, cw, h, nil)
}

// runLayer goes through the steps of all directions, with the products of p or, where it is nil, those of the weights.
func (o *recurrent) runLayer(c *graph.RunCtx, st *recurrentState, cw *cellWeights, h int, p RecurrentProducts) error {
	sx := c.In[rnnX].Shape()
	steps, batch := sx[0], sx[1]
	if o.batchFirst {
		steps, batch = batch, steps
	}
	lens, err := lengths(c, steps)
	if err != nil {
		return err
	}
	n := int(o.kind) * h
	for d := range o.dirs {
		st.dirs[d] = direction{o: o, d: d, steps: steps, batch: batch, h: h, lens: lens, weights: cw, products: p,
			proj: floatScratch(c, steps*batch*n), state: floatScratch(c, batch*h), cell: floatScratch(c, batch*h),
			gates: floatScratch(c, batch*n), tmp: floatScratch(c, batch*h),
			y: outFloats(c, 0), yh: outFloats(c, 1), yc: outFloats(c, 2)}
		j := &st.dirs[d]
		if p := optional(c, rnnP); p != nil {
			j.peep = p[d*3*h : (d+1)*3*h]
		}
		j.load(j.state, optional(c, rnnH0))
		j.load(j.cell, optional(c, rnnC0))
		if steps*batch == 0 {
			continue
		}
		if p != nil {
			err = p.Project(c, d, j.proj, cw.bias[d])
		} else {
			st.gemm = backend.GemmF32{M: steps * batch, A: tensor.View[float32](c.In[rnnX]), LDA: sx[2], B: cw.w[d], C: j.proj, LDC: n}
			st.gemm.Epi.Bias = cw.bias[d]
			err = runGemm(c, o.l.k, &st.gemm)
		}
		if err != nil {
			return err
		}
	}
	err = st.runDirections(c, o.dirs, batch*n*h)
	st.dirs, st.weights = [2]direction{}, cellWeights{}
	return err
}

// lengths returns the length of each sequence, nil when all are as long as the input.
func lengths(c *graph.RunCtx, steps int) ([]int32, error) {
	if len(c.In) <= rnnLens || c.In[rnnLens] == nil {
		return nil, nil
	}
	lens, full := tensor.View[int32](c.In[rnnLens]), true
	for i, n := range lens {
		if n < 0 || int(n) > steps {
			return nil, fmt.Errorf("sequence_lens[%d] is %d, want 0 to %d", i, n, steps)
		}
		full = full && int(n) == steps
	}
	if full {
		return nil, nil
	}
	return lens, nil
}

// parallelStep is the number of multiplications from which a step's product is worth spreading over goroutines.
const parallelStep = 1 << 19

func (j *recurrentState) runDirections(c *graph.RunCtx, dirs, work int) error {
	if dirs == 1 || c.Threads() == 1 || work >= 4*parallelStep {
		for d := range dirs {
			if work >= parallelStep {
				j.dirs[d].c = c
			}
			j.dirs[d].run()
			if err := j.dirs[d].err; err != nil {
				return err
			}
		}
		return nil
	}
	return c.For(dirs, 1, j)
}

func outFloats(c *graph.RunCtx, i int) []float32 {
	if i < len(c.Out) && c.Out[i] != nil {
		return tensor.View[float32](c.Out[i])
	}
	return nil
}

// at is where the state of batch entry b lies in an initial or final state.
func (j *direction) at(b int) int {
	if j.o.batchFirst {
		return (b*j.o.dirs + j.d) * j.h
	}
	return (j.d*j.batch + b) * j.h
}

func (j *direction) load(dst, src []float32) {
	clear(dst)
	for b := 0; src != nil && b < j.batch; b++ {
		copy(dst[b*j.h:(b+1)*j.h], src[j.at(b):])
	}
}

func (j *direction) store(dst, src []float32) {
	for b := 0; dst != nil && b < j.batch; b++ {
		copy(dst[j.at(b):j.at(b)+j.h], src[b*j.h:])
	}
}

// run goes through the steps. An entry whose sequence is shorter stops there, and has zeros in the rest of the output.
func (j *direction) run() {
	if j.lens == nil {
		for t := 0; t < j.steps && j.err == nil; t++ {
			j.step(j.time(t, j.steps), 0, j.batch)
		}
	}
	for b, n := range j.lens {
		if n == 0 { // as ONNX Runtime has it; the definition does not say
			clear(j.state[b*j.h : (b+1)*j.h])
			clear(j.cell[b*j.h : (b+1)*j.h])
		}
		for t := 0; t < int(n) && j.err == nil; t++ {
			j.step(j.time(t, int(n)), b, b+1)
		}
		for t := int(n); t < j.steps && j.y != nil; t++ {
			clear(j.out(t, b))
		}
	}
	j.store(j.yh, j.state)
	j.store(j.yc, j.cell)
}

// time is the position in the input at step t of n.
func (j *direction) time(t, n int) int {
	if j.d == 1 || j.o.reverse {
		return n - 1 - t
	}
	return t
}

// out is where the output of a position and batch entry lies.
func (j *direction) out(time, b int) []float32 {
	at := ((time*j.o.dirs+j.d)*j.batch + b) * j.h
	if j.o.batchFirst {
		at = ((b*j.steps+time)*j.o.dirs + j.d) * j.h
	}
	return j.y[at : at+j.h]
}

// projected is the projection of the input at a position, rows of consecutive batch entries ld apart.
func (j *direction) projected(time, b int) (rows []float32, ld int) {
	n := int(j.o.kind) * j.h
	if j.o.batchFirst {
		return j.proj[(b*j.steps+time)*n:], j.steps * n
	}
	return j.proj[(time*j.batch+b)*n:], n
}

// step computes the new state of batch entries b0 <= b < b1.
func (j *direction) step(time, b0, b1 int) {
	proj, ld := j.projected(time, b0)
	n := int(j.o.kind) * j.h
	if j.products != nil {
		j.err = j.products.Step(j.c, j.d, j.gates[b0*n:b1*n], j.state[b0*j.h:b1*j.h], b1-b0, proj, ld)
	} else {
		j.gemm = backend.GemmF32{M: b1 - b0, A: j.state[b0*j.h:], LDA: j.h, B: j.weights.r[j.d], C: j.gates[b0*n:], LDC: n}
		if !j.o.linearFirst {
			j.gemm.Epi.Residual, j.gemm.Epi.LDR = proj, ld
		}
		j.multiply()
	}
	switch j.o.kind {
	case cellLSTM:
		for b := b0; b < b1; b++ {
			j.lstm(j.gates[b*n:(b+1)*n], j.state[b*j.h:(b+1)*j.h], j.cell[b*j.h:(b+1)*j.h], j.tmp[b*j.h:(b+1)*j.h])
		}
	case cellGRU:
		j.gru(proj, ld, b0, b1)
	default:
		for b := b0; b < b1; b++ {
			g := j.gates[b*n : (b+1)*n]
			j.clipped(g)
			j.o.acts[j.d][0].apply(j.o.l.k, g)
			copy(j.state[b*n:], g)
		}
	}
	for b := b0; b < b1 && j.y != nil; b++ {
		copy(j.out(time, b), j.state[b*j.h:])
	}
}

func (j *direction) multiply() {
	if j.h == 0 {
		return
	}
	if j.c == nil {
		j.gemm.Init(j.o.l.k, 1)
		j.gemm.Do(0, j.gemm.Tasks())
		return
	}
	j.gemm.Init(j.o.l.k, j.c.Threads())
	if err := j.c.For(j.gemm.Tasks(), 1, &j.gemm); err != nil {
		j.err = err
	}
}

// clipped bounds what goes into an activation.
func (j *direction) clipped(x []float32) {
	if j.o.clip > 0 {
		j.o.l.k.Unary(backend.Clip, x, x, -j.o.clip, j.o.clip)
	}
}
