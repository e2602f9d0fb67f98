package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func stfts(l lib) []graph.Def {
	return []graph.Def{
		{Op: "STFT", Since: 17, New: newSTFT, Types: floatTypes},
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
		if window, err = scratchFloats(c, c.In[2]); err != nil {
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
	src, err := scratchFloats(c, x)
	if err != nil {
		return err
	}
	j := graph.State[stftJob](c)
	f := j.f
	if f == nil || f.n != frame {
		f = newFFT(frame, false)
	}
	*j = stftJob{f: f, src: src, dst: doubleScratch(c, y.Len()), window: window, length: length, frames: n, step: int(step[0]),
		parts: elemCount(x.Shape()[2:]), bins: bins, buf: complexScratch(c, c.Threads()*(2*frame+f.widest()))}
	defer func() { *j = stftJob{f: f} }()
	if err := c.For(x.Shape()[0]*n, max(1, 1<<14/frame), j); err != nil {
		return err
	}
	return fromFloats(y, j.dst)
}

// stftJob transforms frames of all batch entries.
type stftJob struct {
	f                                 *fft // kept for runs with frames of this length
	src, dst, window                  []float64
	length, frames, step, parts, bins int
	buf                               []complex128 // of all goroutines
}

// Do is DoAs on one goroutine.
func (j *stftJob) Do(lo, hi int) { j.DoAs(0, lo, hi) }

// DoAs transforms the frames lo <= l < hi.
func (j *stftJob) DoAs(worker, lo, hi int) {
	n := j.f.n
	size := 2*n + j.f.widest()
	buf := j.buf[worker*size : (worker+1)*size]
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
