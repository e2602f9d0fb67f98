package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// convState is what a run of a convolution keeps.
type convState struct {
	product product
	gemm    backend.GemmF32
	shape   convShape
	rows    convRows
	spread  spreadJob
	deep    depthwise
	planes  convPlanes
	wino    convWinograd
	thin    thinJob
	pixels  pixelsJob
	taps    tapsJob
	offA    []int
	offB    []int
}

func (o *conv) runFloat32(c *graph.RunCtx) error {
	st := graph.State[convState](c)
	w, shapeW := o.weights(c)
	st.shape = o.shape(c.In[0].Shape(), shapeW)
	s := &st.shape
	x, out, bias, z := tensor.View[float32](c.In[0]), tensor.View[float32](c.Out[0]), optional(c, 2), optional(c, 3)
	if len(out) == 0 {
		return nil
	}
	switch {
	case s.groups == s.c && s.groups > 1:
		return o.runDepthwise(c, st, x, w, out, bias, z)
	case o.wino != nil && s.winogradPays():
		return o.runWinograd(c, st, x, out, bias, z)
	case o.few != nil && s.pixelsPay():
		return o.runPixels(c, st, x, out, bias, z)
	case s.pointwise():
		return o.runPointwise(c, st, x, w, out, bias, z)
	case s.thinned():
		if g, ok := planesOf(s.axes); ok && st.thin.kernel.Pool(o.l.k, g) {
			st.thin.src, st.thin.dst = x, floatScratch(c, s.n*s.c*s.pix)
			x = st.thin.dst
			err := c.For(s.n*s.c, planeGrain(s.pix), &st.thin)
			st.thin.src, st.thin.dst = nil, nil
			if err != nil {
				return err
			}
			return o.runPointwise(c, st, x, w, out, bias, z)
		}
	}
	x, err := o.spread(c, st, x)
	if err != nil {
		return err
	}
	if o.few != nil && s.pix == 1 && s.k > 0 && s.m/s.groups >= fewChannels {
		return o.runFew(c, st, x, out, bias, z)
	}
	return o.runRows(c, st, x, w, out, bias, z)
}

// A product of up to inPlaceDepth input channels reads the input where it lies if its weights, which it reads again for
// each panel, take a part of the first-level cache only: packing would cost more than it saves.
const inPlaceDepth, inPlaceWeights = 24, 8 << 10

// runPointwise is a product with the input as it is.
func (o *conv) runPointwise(c *graph.RunCtx, st *convState, x, w, out, bias, z []float32) error {
	s, p := &st.shape, &st.product
	p.k, p.batches, p.m, p.kk, p.n = o.l.k, s.n*s.groups, s.m/s.groups, s.k, s.pix
	p.a, p.lda, p.c, p.ldc, p.sizeC = w, s.k, out, s.pix, s.m/s.groups*s.pix
	p.b, p.ldb, p.transB, p.alpha = x, s.pix, false, 1
	p.rowBias, p.groups = bias, s.groups
	p.epi, p.late = o.epilogue(z, s.pix)
	st.offA, st.offB = st.offA[:0], st.offB[:0]
	for b := range p.batches {
		st.offA = append(st.offA, b%s.groups*p.m*s.k)
		st.offB = append(st.offB, b*s.k*s.pix)
	}
	p.offA, p.offB = st.offA, st.offB
	p.inPlace.Reset()
	if s.k > 0 && s.k <= inPlaceDepth && p.m*s.k <= inPlaceWeights {
		p.inPlace.Add(0)
		p.inPlace.Repeat(1, s.k-1, s.pix)
	}
	return p.run(c)
}

// epilogue is what a product can do itself, and what is left to do to its result.
func (o *conv) epilogue(z []float32, ldr int) (e backend.Epilogue, late fusedActivation) {
	if z == nil {
		return backend.Epilogue{Act: o.act.act, P0: o.act.p0, P1: o.act.p1}, late
	}
	e.Residual, e.LDR = z, ldr
	if o.zLast {
		e.Act, e.P0, e.P1 = o.act.act, o.act.p0, o.act.p1
		return e, late
	}
	return e, o.act
}

// pointwise reports whether the input itself is the matrix of patches.
func (s *convShape) pointwise() bool {
	for i := range s.axes {
		if a := &s.axes[i]; a.kernel != 1 || a.stride != 1 || a.before != 0 || a.after != 0 {
			return false
		}
	}
	return true
}

// thinned reports whether each output reads one element of each channel, of those that a stride leaves.
func (s *convShape) thinned() bool {
	for i := range s.axes {
		if a := &s.axes[i]; a.kernel != 1 || a.before != 0 || a.after != 0 {
			return false
		}
	}
	return true
}

// thinJob is the job of taking the elements of planes that a stride leaves.
type thinJob struct {
	kernel   backend.PlanesKernel
	src, dst []float32
}

// Do takes those of the planes lo to hi.
func (j *thinJob) Do(lo, hi int) {
	in, out := j.kernel.InH*j.kernel.InW, j.kernel.OutH*j.kernel.OutW
	j.kernel.RunApart(hi-lo, out, j.dst[lo*out:], j.src[lo*in:])
}

// spread brings x to the layout of st.rows.in.
func (o *conv) spread(c *graph.RunCtx, st *convState, x []float32) ([]float32, error) {
	in := &st.rows.in
	in.init(st.shape.axes)
	if !in.copied {
		return x, nil
	}
	return o.spreadTo(c, st, in, x)
}

// spreadTo brings x to a layout.
func (o *conv) spreadTo(c *graph.RunCtx, st *convState, in *phases, x []float32) ([]float32, error) {
	return st.spread.run(c, o.l.k, in, x, st.shape.n*st.shape.c)
}

// run brings planes to a layout.
func (j *spreadJob) run(c *graph.RunCtx, k *backend.Kernels, in *phases, x []float32, planes int) ([]float32, error) {
	in.spaced()
	dst := floatScratch(c, in.plane*planes)
	j.in, j.src, j.dst, j.kernels = in, x, dst, in.kernels(k, j.kernels)
	err := c.For(planes, 1+16384/in.plane, j)
	j.in, j.src, j.dst = nil, nil, nil
	return dst, err
}

// spreadJob is the job of bringing channels to their layout.
type spreadJob struct {
	in       *phases
	src, dst []float32
	kernels  []backend.PlanesKernel // of the phases, where copies have kernels
}

func (j *spreadJob) Do(lo, hi int) {
	if len(j.kernels) > 0 {
		j.in.copyPlanes(j.kernels, j.dst[lo*j.in.plane:], j.src[lo*j.in.axes[1].in*j.in.axes[2].in:], hi-lo)
		return
	}
	size := j.in.axes[0].in * j.in.axes[1].in * j.in.axes[2].in
	for p := lo; p < hi; p++ {
		j.in.split(j.dst[p*j.in.plane:(p+1)*j.in.plane], j.src[p*size:(p+1)*size])
	}
}

// fewChannels is the number of output channels from which a single output position is the row of a product.
const fewChannels = 8

// runFew multiplies the patch under the only output position by the packed weights.
func (o *conv) runFew(c *graph.RunCtx, st *convState, x, out, bias, z []float32) error {
	s, in := &st.shape, &st.rows
	m := s.m / s.groups
	o.packFew(s)
	in.s = s
	in.setOffsets()
	patch := floatScratch(c, s.k)
	for b := range s.n * s.groups {
		g := b % s.groups
		in.offsets.Gather(patch, x[b*s.c/s.groups*in.in.plane:])
		y := out[b*m : (b+1)*m]
		st.gemm = backend.GemmF32{M: 1, A: patch, LDA: s.k, B: o.few.packs[g], C: y, LDC: m}
		if bias != nil {
			st.gemm.Epi.Bias = bias[g*m : (g+1)*m]
		}
		if z == nil {
			st.gemm.Epi.Act, st.gemm.Epi.P0, st.gemm.Epi.P1 = o.act.act, o.act.p0, o.act.p1
		}
		if err := runGemm(c, o.l.k, &st.gemm); err != nil {
			return err
		}
		if z != nil {
			o.finish(y, z[b*m:(b+1)*m])
		}
	}
	return nil
}

// packFew packs the weights, when the first output comes for which they are needed packed.
func (o *conv) packFew(s *convShape) {
	o.few.once.Do(func() {
		m := s.m / s.groups
		for g := range s.groups {
			o.few.packs = append(o.few.packs, o.l.k.PackF32(o.w[g*m*s.k:], s.k, m, s.k, true))
		}
	})
}

// finish adds z and applies the function to results that have their bias.
func (o *conv) finish(y, z []float32) {
	f, ok := o.act.unary()
	if z != nil && !o.zLast {
		o.l.k.Binary(backend.Add, y, y, z)
	}
	if ok {
		o.l.k.Unary(f, y, y, o.act.p0, o.act.p1)
	}
	if z != nil && o.zLast {
		o.l.k.Binary(backend.Add, y, y, z)
	}
}
