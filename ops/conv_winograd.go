package ops

import (
	"sync"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// winogradWeights are constant weights transformed for Winograd's F(4x4, 3x3), made when the first output comes for
// which it pays.
type winogradWeights struct {
	once sync.Once
	w    *backend.WinogradF32
}

// winogradMost is the largest product of channels for which it is used: the transformed weights are four times as
// large, and beyond the caches reading them costs more than the multiplications that are saved.
const winogradMost = 128 * 128

// newWinogradWeights is nil for weights of another shape than Winograd's.
func (o *conv) newWinogradWeights(shape []int) *winogradWeights {
	if len(shape) != 4 || shape[2] != 3 || shape[3] != 3 || o.groups != 1 || shape[0]*shape[1] > winogradMost || min(shape[0], shape[1]) < 8 {
		return nil
	}
	for i := range 2 {
		if at(o.win.strides, i, 1) != 1 || at(o.win.dilations, i, 1) != 1 {
			return nil
		}
	}
	return new(winogradWeights)
}

// winogradPays estimates by cycles whether the transforms cost less than they save. The answer depends on sizes alone,
// so that a model has the same bits everywhere.
func (s *convShape) winogradPays() bool {
	h, w := &s.axes[1], &s.axes[2]
	if s.axes[0].out != 1 || h.before < 0 || w.before < 0 || h.before > 2 || w.before > 2 || s.pix < 64 {
		return false
	}
	const (
		direct    = 85.0 // per input channel, output channel and 16 tiles, of 256 results
		product   = 24.0
		transform = 400.0 // per channel of either and 16 tiles
	)
	tiles := (h.out + 3) / 4 * ((w.out + 5) / 4)
	vectors := float64((tiles + 15) / 16)
	m, c := float64(s.m), float64(s.c)
	return vectors*(m*c*product+(m+c)*transform) < 0.9*direct*m*c*float64(s.pix)/256
}

// convWinograd is the job of a convolution by Winograd's method: its parts are channels to pad, then blocks of tiles.
type convWinograd struct {
	conv    backend.WinogradConv
	x, out  []float32
	padded  []float32
	scratch []float32
	slots   chan int // scratch memory that is free
	size    int      // of one goroutine's scratch
}

func (o *conv) runWinograd(c *graph.RunCtx, st *convState, x, out, bias, z []float32) error {
	j, s := &st.wino, &st.shape
	o.wino.once.Do(func() { o.wino.w = backend.PackWinograd(o.w, s.m, s.c) })
	g := &j.conv
	g.W, g.InH, g.InW, g.OutH, g.OutW = o.wino.w, s.axes[1].in, s.axes[2].in, s.axes[1].out, s.axes[2].out
	g.Top, g.Left, g.Bias = s.axes[1].before, s.axes[2].before, bias
	g.Act, g.Lo, g.Hi = backend.ActNone, 0, 0
	late := z != nil
	if !late {
		switch o.act.act {
		case backend.ActNone, backend.ActRelu, backend.ActClip:
			g.Act, g.Lo, g.Hi = o.act.act, o.act.p0, o.act.p1
		default:
			late = true
		}
	}
	threads := c.Threads()
	g.Init(o.l.k, threads)
	size := align16(g.ScratchLen())
	memory := floatScratch(c, s.c*s.n*g.PaddedLen(1)+threads*size)
	j.padded, j.scratch = memory[:s.c*s.n*g.PaddedLen(1)], memory[s.c*s.n*g.PaddedLen(1):]
	j.x, j.out, j.size = x, out, size
	if cap(j.slots) != threads {
		j.slots = make(chan int, threads)
		for i := range threads {
			j.slots <- i
		}
	}
	defer func() {
		j.x, j.out, j.padded, j.scratch, g.Bias = nil, nil, nil, nil, nil
	}()
	if err := c.For(s.c*s.n, planeGrain(g.InH*g.InW), (*winogradPad)(j)); err != nil {
		return err
	}
	if err := c.For(s.n*g.Blocks(), 1, j); err != nil {
		return err
	}
	if late {
		o.finish(out, z)
	}
	return nil
}

// Do computes blocks.
func (j *convWinograd) Do(lo, hi int) {
	slot := <-j.slots
	scratch := j.scratch[slot*j.size : (slot+1)*j.size]
	g := &j.conv
	for i := lo; i < hi; i++ {
		image := i / g.Blocks()
		g.Block(i%g.Blocks(), j.out[image*g.W.M*g.OutH*g.OutW:], j.padded[g.PaddedLen(image*g.W.C):], scratch)
	}
	j.slots <- slot
}

// winogradPad is the job that pads the channels of all images.
type winogradPad convWinograd

// Do pads the channels lo to hi.
func (j *winogradPad) Do(lo, hi int) {
	g := &j.conv
	g.Pad(j.padded[g.PaddedLen(lo):], j.x[lo*g.InH*g.InW:], hi-lo)
}
