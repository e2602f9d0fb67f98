package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/par"
	"github.com/qrun-onnx/qrun/tensor"
)

func deformConvs(l lib) []graph.Def {
	return []graph.Def{{Op: "DeformConv", Since: 19, New: l.newDeformConv, Types: attentionTypes}}
}

// deformConv is a convolution over two spatial dimensions whose kernel positions are moved, per output, by offsets and
// weighed by a mask; the input is interpolated there, and is zero outside.
//
//	inputs X [N, C, H, W], W [M, C/groups, kH, kW], offset [N, parts*kH*kW*2, oH, oW], bias? [M], mask? [N, parts*kH*kW, oH, oW]
type deformConv struct {
	conv
	parts int // channels are in so many parts with offsets of their own
}

func (l lib) newDeformConv(a *graph.Attrs) (graph.Op, error) {
	w, err := newWindow(a)
	if err != nil {
		return nil, err
	}
	o := &deformConv{conv{l: l, win: w, groups: int(a.Int("group", 1))}, int(a.Int("offset_group", 1))}
	if o.groups < 1 || o.parts < 1 {
		return nil, fmt.Errorf("attributes group and offset_group are %d and %d", o.groups, o.parts)
	}
	return o, nil
}

func (o *deformConv) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 3, 5); err != nil {
		return err
	}
	inputs := []int{0, 1, 2}
	for i := 3; i < 5; i++ {
		if c.Has(i) {
			inputs = append(inputs, i)
		}
	}
	d, err := sameType(c, inputs...)
	if err != nil {
		return err
	}
	if err := checkType("deformable convolution", d, attentionTypes); err != nil {
		return err
	}
	x, w := c.In(0), c.In(1)
	if !x.Ranked || !w.Ranked {
		c.Out(0, tensor.Unranked(d))
		return nil
	}
	if len(x.Dims) != 4 {
		return fmt.Errorf("input %v, want four dimensions", x)
	}
	if err := o.checkShapes(x, w, c.In(3)); err != nil {
		return err
	}
	if n := x.Dims[1]; n.Known() && n.Size%o.parts != 0 {
		return fmt.Errorf("%d channels cannot have %d groups of offsets", n.Size, o.parts)
	}
	dims := []tensor.Dim{x.Dims[0], w.Dims[0], tensor.AnyDim, tensor.AnyDim}
	if err := o.win.inferAxes(dims, x.Dims, w.Dims[2:]); err != nil {
		return err
	}
	per := tensor.AnyDim
	if w.Dims[2].Known() && w.Dims[3].Known() {
		per = tensor.Fixed(o.parts * w.Dims[2].Size * w.Dims[3].Size)
	}
	if err := wantDims("mask", c.In(4), []tensor.Dim{x.Dims[0], per, dims[2], dims[3]}); err != nil {
		return err
	}
	if per.Known() {
		per.Size *= 2
	}
	if err := wantDims("offset", c.In(2), []tensor.Dim{x.Dims[0], per, dims[2], dims[3]}); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(d, dims))
	return nil
}

// Prepack hides that of the plain convolution: weights are used as they are.
func (o *deformConv) Prepack([]*tensor.Tensor) (graph.Op, []int, error) { return o, nil, nil }

func (o *deformConv) Run(c *graph.RunCtx) error {
	if isHalf(c.In[0].DType()) {
		return o.l.asFloat32(c, o.runFloat32)
	}
	return o.runFloat32(c)
}

func (o *deformConv) runFloat32(c *graph.RunCtx) error {
	s := o.shape(c.In[0].Shape(), c.In[1].Shape())
	out := tensor.View[float32](c.Out[0])
	if len(out) == 0 {
		return nil
	}
	kernel := s.axes[1].kernel * s.axes[2].kernel
	patches := floatScratch(c, s.c*kernel*s.pix)
	p := &graph.State[convState](c).product
	p.k, p.batches, p.m, p.kk, p.n = o.l.k, s.groups, s.m/s.groups, s.k, s.pix
	offA, offB := make([]int, s.groups), make([]int, s.groups)
	for g := range offA {
		offA[g], offB[g] = g*p.m*s.k, g*s.k*s.pix
	}
	for n := range s.n {
		err := c.For(s.c*kernel, 1, par.Func(func(lo, hi int) {
			for r := lo; r < hi; r++ {
				o.sample(c, &s, patches[r*s.pix:(r+1)*s.pix], n, r/kernel, r%kernel)
			}
		}))
		if err != nil {
			return err
		}
		p.a, p.lda, p.offA = tensor.View[float32](c.In[1]), s.k, offA
		p.b, p.ldb, p.offB, p.transB = patches, s.pix, offB, false
		p.c, p.ldc, p.sizeC = out[n*s.m*s.pix:(n+1)*s.m*s.pix], s.pix, p.m*s.pix
		p.alpha, p.epi, p.rowBias, p.groups = 1, backend.Epilogue{}, optional(c, 3), s.groups
		if err := p.run(c); err != nil {
			return err
		}
	}
	return nil
}

// sample fills the row of patches of a channel and kernel position.
func (o *deformConv) sample(c *graph.RunCtx, s *convShape, row []float32, n, ch, tap int) {
	h, w := &s.axes[1], &s.axes[2]
	kernel := h.kernel * w.kernel
	plane := tensor.View[float32](c.In[0])[(n*s.c+ch)*h.in*w.in:][:h.in*w.in]
	part := ch / (s.c / o.parts)
	at := (n*o.parts+part)*kernel + tap
	dy := tensor.View[float32](c.In[2])[2*at*s.pix:][:s.pix]
	dx := tensor.View[float32](c.In[2])[(2*at+1)*s.pix:][:s.pix]
	for i := range row {
		y := float32(i/w.out*h.stride-h.before+tap/w.kernel*h.dilate) + dy[i]
		x := float32(i%w.out*w.stride-w.before+tap%w.kernel*w.dilate) + dx[i]
		row[i] = bilinear(plane, h.in, w.in, y, x)
	}
	if m := input(c, 4); m != nil {
		o.l.k.Binary(backend.Mul, row, row, tensor.View[float32](m)[at*s.pix:][:s.pix])
	}
}

// bilinear interpolates between the four nearest elements of a plane, those outside being zero.
func bilinear(plane []float32, height, width int, y, x float32) float32 {
	if !(y > -1 && y < float32(height) && x > -1 && x < float32(width)) {
		return 0
	}
	y0, x0 := int(math.Floor(float64(y))), int(math.Floor(float64(x)))
	fy, fx := y-float32(y0), x-float32(x0)
	get := func(r, c int) float32 {
		if r < 0 || c < 0 || r >= height || c >= width {
			return 0
		}
		return plane[r*width+c]
	}
	top := float32((1-fx)*get(y0, x0)) + float32(fx*get(y0, x0+1))
	bottom := float32((1-fx)*get(y0+1, x0)) + float32(fx*get(y0+1, x0+1))
	return float32((1-fy)*top) + float32(fy*bottom)
}
