package ops

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// fewPixels is the number of output positions up to which they are the rows of the product and not its columns, since
// a panel of columns would be mostly empty.
const fewPixels = 16

// convState is what a run of a convolution keeps.
type convState struct {
	product  product
	gemm     backend.GemmF32
	shape    convShape
	patches  backend.ConvPatches
	pad      padJob
	deep     depthwise
	offA     []int
	offB     []int
	perGroup int // elements of one group's padded input
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
	if s.k == 0 {
		x, w = nil, nil
	}
	if s.groups == s.c && s.groups > 1 && s.pix > fewPixels {
		return o.runDepthwise(c, st, x, w, out, bias, z)
	}
	if s.pix <= fewPixels && o.few != nil && s.k > 0 {
		return o.runFew(c, st, x, out, bias, z)
	}
	p := &st.product
	p.k, p.batches, p.m, p.kk, p.n = o.l.k, s.n*s.groups, s.m/s.groups, s.k, s.pix
	p.a, p.lda, p.c, p.ldc, p.sizeC = w, s.k, out, s.pix, s.m/s.groups*s.pix
	p.alpha, p.transB = 1, false
	p.rowBias, p.groups = bias, s.groups
	p.epi, p.late = o.epilogue(z, s.pix)
	st.offA, st.offB = st.offA[:0], st.offB[:0]
	st.perGroup = s.c / s.groups
	for i := range s.axes {
		st.perGroup *= s.axes[i].in
	}
	if s.pointwise() {
		p.b, p.ldb, p.packer = x, s.pix, nil
	} else {
		x, err := o.padInput(c, st, x)
		if err != nil {
			return err
		}
		st.setPatches(x)
		p.packer = st
	}
	for b := range p.batches {
		st.offA = append(st.offA, b%s.groups*p.m*s.k)
		st.offB = append(st.offB, b*st.perGroup)
	}
	p.offA, p.offB = st.offA, st.offB
	err := p.run(c)
	st.patches.X = nil
	return err
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

// padInput returns x with its padding, and sets perGroup to the padded size.
func (o *conv) padInput(c *graph.RunCtx, st *convState, x []float32) ([]float32, error) {
	s := &st.shape
	st.perGroup = s.c / s.groups * s.padded(0) * s.padded(1) * s.padded(2)
	if s.padded(0) == s.axes[0].in && s.padded(1) == s.axes[1].in && s.padded(2) == s.axes[2].in {
		return x, nil
	}
	planes := s.n * s.c
	st.pad = padJob{src: x, dst: floatScratch(c, st.perGroup*s.groups*s.n), axes: s.axes}
	dst := st.pad.dst
	err := c.For(planes, 1+16384/(s.padded(0)*s.padded(1)*s.padded(2)), &st.pad)
	st.pad = padJob{}
	return dst, err
}

// padJob copies planes into their padded form.
type padJob struct {
	src, dst []float32
	axes     [3]axis
}

func (j *padJob) Do(lo, hi int) {
	d, h, w := &j.axes[0], &j.axes[1], &j.axes[2]
	ph, pw := h.in+h.before+h.after, w.in+w.before+w.after
	in, out := d.in*h.in*w.in, (d.in+d.before+d.after)*ph*pw
	for p := lo; p < hi; p++ {
		src, dst := j.src[p*in:(p+1)*in], j.dst[p*out:(p+1)*out]
		clear(dst)
		w0, w1 := max(0, -w.before), min(w.in, w.in+w.after)
		for z := max(0, -d.before); z < min(d.in, d.in+d.after); z++ {
			for y := max(0, -h.before); y < min(h.in, h.in+h.after); y++ {
				copy(dst[((z+d.before)*ph+y+h.before)*pw+w.before+w0:], src[(z*h.in+y)*w.in+w0:(z*h.in+y)*w.in+w1])
			}
		}
	}
}

// setPatches describes the patches of the padded input x.
func (st *convState) setPatches(x []float32) {
	s, p := &st.shape, &st.patches
	d, h, w := &s.axes[0], &s.axes[1], &s.axes[2]
	ph, pw := s.padded(1), s.padded(2)
	p.X, p.Width, p.Step = x, w.out, w.stride
	p.Offset, p.RowStart = p.Offset[:0], p.RowStart[:0]
	for ch := range s.c / s.groups {
		for kd := range d.kernel {
			for kh := range h.kernel {
				for kw := range w.kernel {
					p.Offset = append(p.Offset, ((ch*s.padded(0)+kd*d.dilate)*ph+kh*h.dilate)*pw+kw*w.dilate)
				}
			}
		}
	}
	for z := range d.out {
		for y := range h.out {
			p.RowStart = append(p.RowStart, (z*d.stride*ph+y*h.stride)*pw)
		}
	}
}

func (st *convState) packBlock(k *backend.Kernels, p *backend.PackedF32, dst []float32, batch, col, n int) {
	patches := st.patches
	patches.X = patches.X[batch*st.perGroup : (batch+1)*st.perGroup]
	k.PackConvInto(p, dst, &patches, col, n)
}

// runFew multiplies rows of patches by the packed weights and transposes the small result.
func (o *conv) runFew(c *graph.RunCtx, st *convState, x, out, bias, z []float32) error {
	s := &st.shape
	m := s.m / s.groups
	o.few.once.Do(func() {
		for g := range s.groups {
			o.few.packs = append(o.few.packs, o.l.k.PackF32(o.w[g*m*s.k:], s.k, m, s.k, true))
		}
	})
	x, err := o.padInput(c, st, x)
	if err != nil {
		return err
	}
	st.setPatches(x)
	rows, res := floatScratch(c, s.pix*s.k), out
	if s.pix > 1 {
		res = floatScratch(c, s.pix*m)
	}
	for b := range s.n * s.groups {
		g := b % s.groups
		patches := st.patches
		patches.X = x[b*st.perGroup : (b+1)*st.perGroup]
		for i := range s.pix {
			patches.PatchRow(rows[i*s.k:(i+1)*s.k], i)
		}
		y := out[b*m*s.pix : (b+1)*m*s.pix]
		if s.pix == 1 {
			res = y
		}
		st.gemm = backend.GemmF32{M: s.pix, A: rows, LDA: s.k, B: o.few.packs[g], C: res, LDC: m}
		if bias != nil {
			st.gemm.Epi.Bias = bias[g*m : (g+1)*m]
		}
		if z == nil {
			st.gemm.Epi.Act, st.gemm.Epi.P0, st.gemm.Epi.P1 = o.act.act, o.act.p0, o.act.p1
		}
		if err := runGemm(c, o.l.k, &st.gemm); err != nil {
			return err
		}
		if s.pix > 1 {
			transposeInto(y, res, s.pix, m, m)
		}
		if z != nil {
			o.finish(y, z[b*m*s.pix:(b+1)*m*s.pix])
		}
	}
	st.patches.X = nil
	return nil
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
