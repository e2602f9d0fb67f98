package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func fouriers(l lib) []graph.Def {
	return []graph.Def{
		{Op: "DFT", Since: 17, New: newDFT17, Types: floatTypes},
		{Op: "DFT", Since: 20, New: newDFT, Types: floatTypes},
	}
}

// dft is the discrete Fourier transform along an axis, of an attribute (to opset 19) or of input 2. The last axis holds
// the real part and, where it has size 2, the imaginary one. Input 1 may give a length to cut or fill up to. With
// onesided the output has the first n/2+1 of n frequencies.
type dft struct {
	axis              int64
	inverse, onesided bool
}

func newDFT17(a *graph.Attrs) (graph.Op, error) {
	return dft{a.Int("axis", 1), a.Bool("inverse", false), a.Bool("onesided", false)}, nil
}

func newDFT(a *graph.Attrs) (graph.Op, error) {
	return dft{-2, a.Bool("inverse", false), a.Bool("onesided", false)}, nil
}

func (o dft) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 3); err != nil {
		return err
	}
	x := c.In(0)
	if err := checkType("input", x.DType, floatTypes); err != nil {
		return err
	}
	for i := 1; i <= 2; i++ {
		if err := wantIndex(c, i, "dft_length and axis"); err != nil {
			return err
		}
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	dims := anyDims(len(x.Dims))
	axis, ok := constInts(c, 2)
	if !c.Has(2) {
		axis, ok = []int64{o.axis}, true
	}
	n, hasLen := constInts(c, 1)
	if ok {
		a, err := o.place(axis, x)
		if err != nil {
			return err
		}
		copy(dims, x.Dims)
		length := dims[a]
		if c.Has(1) {
			if length = tensor.AnyDim; hasLen {
				if len(n) != 1 || n[0] < 1 || n[0] > maxTensorBytes {
					return fmt.Errorf("dft_length is %v, want one positive number", n)
				}
				length = tensor.Fixed(int(n[0]))
			}
		}
		if dims[a] = length; o.onesided && !o.inverse {
			dims[a] = half(length)
		}
		if o.onesided && o.inverse && !c.Has(1) {
			dims[a] = twice(length)
		}
	}
	dims[len(dims)-1] = tensor.Fixed(2)
	if o.onesided && o.inverse {
		dims[len(dims)-1] = tensor.Fixed(1)
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

// half is the number of frequencies of a real signal of n elements.
func half(n tensor.Dim) tensor.Dim {
	if !n.Known() {
		return tensor.AnyDim
	}
	return tensor.Fixed(n.Size/2 + 1)
}

// twice is the even length of a real signal of n frequencies.
func twice(n tensor.Dim) tensor.Dim {
	if !n.Known() {
		return tensor.AnyDim
	}
	return tensor.Fixed(max(2*n.Size-2, 1))
}

// place checks the axis and the last dimension.
func (o dft) place(axis []int64, x tensor.Spec) (int, error) {
	if len(axis) != 1 {
		return 0, fmt.Errorf("axis is %v, want one number", axis)
	}
	a, err := axisOf(axis[0], len(x.Dims))
	if err != nil {
		return 0, err
	}
	if a == len(x.Dims)-1 {
		return 0, fmt.Errorf("axis %d holds the parts of the numbers", axis[0])
	}
	if p := x.Dims[len(x.Dims)-1]; p.Known() && p.Size != 1 && p.Size != 2 {
		return 0, fmt.Errorf("input %v, want a last axis of size 1 or 2", x)
	}
	return a, nil
}

func (o dft) Run(c *graph.RunCtx) error {
	x := c.In[0]
	axis := []int64{o.axis}
	if len(c.In) > 2 && c.In[2] != nil {
		axis = runInts(c.In[2])
	}
	a, err := o.place(axis, x.Spec())
	if err != nil {
		return err
	}
	shape := append([]int{}, x.Shape()...)
	length := shape[a]
	if o.onesided && o.inverse {
		length = max(2*length-2, 1)
	}
	if len(c.In) > 1 && c.In[1] != nil {
		length = int(runInts(c.In[1])[0])
	}
	last := len(shape) - 1
	parts := shape[last]
	if shape[a], shape[last] = length, 2; o.onesided && o.inverse {
		shape[last] = 1
	} else if o.onesided {
		shape[a] = length/2 + 1
	}
	y, err := output(c, 0, x.DType(), shape...)
	if err != nil || y.Len() == 0 {
		return err
	}
	src, err := scratchFloats(c, x)
	if err != nil {
		return err
	}
	j := graph.State[dftJob](c)
	f := j.f
	if f == nil || f.n != length {
		f = newFFT(length, o.inverse)
	}
	dst := doubleScratch(c, y.Len())
	*j = dftJob{f: f, buf: complexScratch(c, c.Threads()*(2*length+f.widest())), src: src, dst: dst, n: x.Shape()[a], m: shape[a], parts: parts, outParts: shape[last], scale: 1,
		inner: elemCount(shape[a+1 : last]), mirror: o.onesided && o.inverse}
	defer func() { *j = dftJob{f: f} }()
	if o.inverse {
		j.scale = 1 / float64(length)
	}
	if err := c.For(elemCount(shape[:a])*j.inner, max(1, 1<<14/length), j); err != nil {
		return err
	}
	return fromFloats(y, dst)
}

// dftJob transforms lines: [outer n inner parts] to [outer m inner outParts].
type dftJob struct {
	f                            *fft         // kept for runs with lines of this length
	buf                          []complex128 // of all goroutines
	src, dst                     []float64
	n, m, inner, parts, outParts int
	scale                        float64
	mirror                       bool // the source has the frequencies of a real signal to the middle
}

// Do is DoAs on one goroutine.
func (j *dftJob) Do(lo, hi int) { j.DoAs(0, lo, hi) }

// DoAs transforms the lines lo <= l < hi.
func (j *dftJob) DoAs(worker, lo, hi int) {
	size := 2*j.f.n + j.f.widest()
	buf := j.buf[worker*size : (worker+1)*size]
	in, out, tmp := buf[:j.f.n], buf[j.f.n:2*j.f.n], buf[2*j.f.n:]
	for l := lo; l < hi; l++ {
		o, i := l/j.inner, l%j.inner
		clear(in)
		for k := range min(j.n, j.f.n) {
			at := ((o*j.n+k)*j.inner + i) * j.parts
			if in[k] = complex(j.src[at], 0); j.parts == 2 {
				in[k] = complex(j.src[at], j.src[at+1])
			}
		}
		if j.mirror {
			for k := 1; k < (j.f.n+1)/2; k++ {
				in[j.f.n-k] = complex(real(in[k]), -imag(in[k]))
			}
		}
		j.f.transform(out, in, tmp)
		for k, v := range out[:j.m] {
			at := ((o*j.m+k)*j.inner + i) * j.outParts
			if j.dst[at] = real(v) * j.scale; j.outParts == 2 {
				j.dst[at+1] = imag(v) * j.scale
			}
		}
	}
}
