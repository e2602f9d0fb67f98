package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) fouriers() []graph.Def {
	return []graph.Def{
		{Op: "DFT", Since: 17, New: newDFT17, Types: floatTypes},
		{Op: "DFT", Since: 20, New: newDFT, Types: floatTypes},
		{Op: "STFT", Since: 17, New: newSTFT, Types: floatTypes},
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
	src, err := toFloats(x)
	if err != nil {
		return err
	}
	dst := make([]float64, y.Len())
	j := &dftJob{f: newFFT(length, o.inverse), src: src, dst: dst, n: x.Shape()[a], m: shape[a], parts: parts, outParts: shape[last], scale: 1,
		inner: elemCount(shape[a+1 : last]), mirror: o.onesided && o.inverse}
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
	f                            *fft
	src, dst                     []float64
	n, m, inner, parts, outParts int
	scale                        float64
	mirror                       bool // the source has the frequencies of a real signal to the middle
}

// Do transforms the lines lo <= l < hi.
func (j *dftJob) Do(lo, hi int) {
	buf := make([]complex128, 2*j.f.n+j.f.widest())
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

// stft is the Fourier transform of frames of a signal [batch length], [batch length 1 or 2], that start frame_step (input 1) apart, each
// times the window (input 2) where there is one: [batch frames frequencies 2].
type stft struct{ onesided bool }

func newSTFT(a *graph.Attrs) (graph.Op, error) { return stft{a.Bool("onesided", true)}, nil }

func (o stft) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 4); err != nil {
		return err
	}
	x := c.In(0)
	if err := checkType("signal", x.DType, floatTypes); err != nil {
		return err
	}
	if _, err := sameType(c, 0, 2); err != nil {
		return err
	}
	for _, i := range []int{1, 3} {
		if err := wantIndex(c, i, "frame_step and frame_length"); err != nil {
			return err
		}
	}
	dims := anyDims(4)
	dims[3] = tensor.Fixed(2)
	if !x.Ranked {
		c.Out(0, tensor.Ranked(x.DType, dims))
		return nil
	}
	rank := len(x.Dims)
	if rank != 2 && rank != 3 || rank == 3 && x.Dims[2].Known() && x.Dims[2].Size != 1 && x.Dims[2].Size != 2 {
		return fmt.Errorf("signal %v, want [batch length], [batch length 1] or [batch length 2]", x)
	}
	dims[0] = x.Dims[0]
	frame := x.Dims[1]
	if c.Has(3) {
		frame = tensor.AnyDim
		if v, ok := constInts(c, 3); ok && len(v) == 1 {
			frame = tensor.Fixed(int(v[0]))
		}
	} else if c.Has(2) {
		frame = tensor.Fixed(knownLen(c, 2))
	}
	if dims[2] = frame; o.onesided {
		dims[2] = half(frame)
	}
	if step, ok := constInts(c, 1); ok && frame.Known() && x.Dims[1].Known() {
		n, err := o.frames(x.Dims[1].Size, frame.Size, step, knownLen(c, 2))
		if err != nil {
			return err
		}
		dims[1] = tensor.Fixed(n)
	}
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

// frames is the number of frames.
func (o stft) frames(length, frame int, step []int64, window int) (int, error) {
	if len(step) != 1 || step[0] < 1 {
		return 0, fmt.Errorf("frame_step is %v, want one positive number", step)
	}
	if frame < 1 || frame > length {
		return 0, fmt.Errorf("frames of %d in a signal of %d", frame, length)
	}
	if window > frame {
		return 0, fmt.Errorf("window of %d for frames of %d", window, frame)
	}
	return 1 + int(int64(length-frame)/step[0]), nil
}

func (o stft) Run(c *graph.RunCtx) error {
	x := c.In[0]
	length := x.Shape()[1]
	var window []float64
	frame := length
	if len(c.In) > 2 && c.In[2] != nil {
		var err error
		if window, err = toFloats(c.In[2]); err != nil {
			return err
		}
		frame = len(window)
	}
	if len(c.In) > 3 && c.In[3] != nil {
		frame = int(runInts(c.In[3])[0])
	}
	step := runInts(c.In[1])
	n, err := o.frames(length, frame, step, len(window))
	if err != nil {
		return err
	}
	bins := frame
	if o.onesided {
		bins = frame/2 + 1
	}
	y, err := output(c, 0, x.DType(), x.Shape()[0], n, bins, 2)
	if err != nil || y.Len() == 0 {
		return err
	}
	src, err := toFloats(x)
	if err != nil {
		return err
	}
	j := &stftJob{f: newFFT(frame, false), src: src, dst: make([]float64, y.Len()), window: window, length: length, frames: n,
		step: int(step[0]), parts: elemCount(x.Shape()[2:]), bins: bins}
	if err := c.For(x.Shape()[0]*n, max(1, 1<<14/frame), j); err != nil {
		return err
	}
	return fromFloats(y, j.dst)
}

// stftJob transforms frames of all batch entries.
type stftJob struct {
	f                                 *fft
	src, dst, window                  []float64
	length, frames, step, parts, bins int
}

// Do transforms the frames lo <= l < hi.
func (j *stftJob) Do(lo, hi int) {
	n := j.f.n
	buf := make([]complex128, 2*n+j.f.widest())
	in, out, tmp := buf[:n], buf[n:2*n], buf[2*n:]
	for l := lo; l < hi; l++ {
		start := l/j.frames*j.length + l%j.frames*j.step
		for k := range in {
			w := 1.0
			if j.window != nil {
				if w = 0; k < len(j.window) {
					w = j.window[k]
				}
			}
			at := (start + k) * j.parts
			if in[k] = complex(j.src[at]*w, 0); j.parts == 2 {
				in[k] = complex(j.src[at]*w, j.src[at+1]*w)
			}
		}
		j.f.transform(out, in, tmp)
		for k, v := range out[:j.bins] {
			at := (l*j.bins + k) * 2
			j.dst[at], j.dst[at+1] = real(v), imag(v)
		}
	}
}
