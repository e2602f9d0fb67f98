package backend

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Planes is the geometry of a two-dimensional window over planes: how a depthwise convolution or a pooling moves, with
// the same stride in both directions. Padding below and on the right is what the output's size makes it.
type Planes struct {
	InH, InW, OutH, OutW int
	KH, KW, Stride       int
	Top, Left            int
	Max                  bool // pooling takes the maximum, not the sum
}

// PlanesKernel is a kernel for one geometry. The zero value has none.
type PlanesKernel struct {
	Planes
	asked     planesAsked
	depthwise asm.DepthwisePlanes
	pool      asm.PoolPlanes
	found     bool
	blocks    asm.PlanesBlocks
	outside   []float32
}

// planesAsked is what a PlanesKernel was last prepared for.
type planesAsked struct {
	Planes
	pool bool
	isa  asm.ISA
	vec  int
}

// Depthwise prepares the convolution of planes with a kernel each, and reports whether there is a kernel for it.
func (p *PlanesKernel) Depthwise(k *Kernels, g Planes) bool {
	if a := (planesAsked{g, false, k.f32.isa, k.f32.vec}); p.asked != a {
		i := planesKernel(asm.DepthwisePlanesKernels[:], fmt.Sprintf("depthwisePlanes%dx%dStride%d", g.KH, g.KW, g.Stride), a.isa)
		p.depthwise = asm.DepthwisePlanes(i)
		p.set(a, i)
	}
	return p.found
}

// Pool prepares pooling.
func (p *PlanesKernel) Pool(k *Kernels, g Planes) bool {
	if a := (planesAsked{g, true, k.f32.isa, k.f32.vec}); p.asked != a {
		op := "Sum"
		if g.Max {
			op = "Max"
		}
		i := planesKernel(asm.PoolPlanesKernels[:], fmt.Sprintf("poolPlanes%s%dx%dStride%d", op, g.KH, g.KW, g.Stride), a.isa)
		p.pool = asm.PoolPlanes(i)
		p.set(a, i)
	}
	return p.found
}

// planesKernel is the number of the kernel whose name is that and an instruction set, or 0.
func planesKernel(kernels []asm.Kernel, name string, isa asm.ISA) int {
	for i, k := range kernels {
		if k.ISA == isa && len(k.Name) > len(name) && k.Name[:len(name)] == name {
			return i
		}
	}
	return 0
}

func (p *PlanesKernel) set(a planesAsked, kernel int) {
	p.asked, p.Planes = a, a.Planes
	p.found = kernel != 0 && p.InW >= asm.LeastPlanesWidth(a.isa) && p.InH > 0 && p.OutW > 0 && p.OutH > 0
	if !p.found {
		return
	}
	p.blocks.Set(a.vec, p.KW, p.Stride, p.Left, p.InW, p.OutW)
	p.outside = make([]float32, p.InW)
	if p.Max {
		for i := range p.outside {
			p.outside[i] = float32(math.Inf(-1))
		}
	}
}

// Run computes n planes. Of a convolution w has the weights of each and bias one number of each, or is nil; act is
// ActNone, ActRelu or ActClip with the limits lo and hi. Pooling takes none of these.
func (p *PlanesKernel) Run(n int, c, x, w, bias []float32, act Activation, lo, hi float32) {
	p.run(n, p.OutH*p.OutW, c, x, w, bias, act, lo, hi)
}

// RunApart is Run for pooling, with results of planes that lie that far apart.
func (p *PlanesKernel) RunApart(n, step int, c, x []float32) {
	p.run(n, step, c, x, nil, nil, ActNone, 0, 0)
}

func (p *PlanesKernel) run(n, out int, c, x, w, bias []float32, act Activation, lo, hi float32) {
	in, taps := p.InH*p.InW, p.KH*p.KW
	if n == 0 {
		return
	}
	need(len(x) >= n*in, "input", len(x), n*in)
	need(len(c) >= extent(n, p.OutH*p.OutW, out), "result", len(c), extent(n, p.OutH*p.OutW, out))
	need(p.asked.pool || len(w) >= n*taps, "weights", len(w), n*taps)
	need(bias == nil || len(bias) >= n, "bias", len(bias), n)
	switch act {
	case ActNone:
		lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	case ActRelu:
		lo, hi = 0, float32(math.Inf(1))
	}
	rows, planes := p.part()
	for i := 0; i < n; i += planes {
		for y := 0; y < p.OutH; y += rows {
			a := asm.ArgsPlanes{
				Dst: &c[i*out+y*p.OutW], X: unsafe.Pointer(&x[i*in]), Outside: &p.outside[0], Masks: unsafe.SliceData(p.blocks.Masks),
				Planes: int64(min(planes, n-i)), StepX: int64(4 * in), StepC: int64(4 * out), LDX: int64(4 * p.InW), LDC: int64(4 * p.OutW),
				Row: int64(y*p.Stride - p.Top), H: int64(p.InH), Rows: int64(min(rows, p.OutH-y)), Pad: int64(4 * p.Left),
				Lead: int64(p.blocks.Lead), Inner: int64(p.blocks.Inner), Trail: int64(p.blocks.Trail),
				KH: int64(p.KH), KW: int64(p.KW), Stride: int64(p.Stride), InW: int64(p.InW), OutW: int64(p.OutW), Lo: lo, Hi: hi,
			}
			if p.Max {
				a.Max = 1
			}
			if bias != nil {
				a.Bias = &bias[i]
			}
			if p.asked.pool {
				p.pool.Call(&a)
				continue
			}
			a.W = &w[i*taps]
			p.depthwise.Call(&a)
		}
	}
}

// part is how many rows of how many planes a call computes, to be short.
func (p *PlanesKernel) part() (rows, planes int) {
	const perPlane, perRow = 500, 50                                                        // cycles
	row := (p.blocks.Lead+p.blocks.Inner+p.blocks.Trail)*p.KH*p.KW*2 + perRow               // at most
	row = max(row, 4*(p.InW*min(p.Stride, p.KH)+p.OutW)*(callCycles/1024)/(callBytes/1024)) // or what it moves takes longer
	const whole = 12                                                                        // rows that a kernel may compute together divide it
	if rows = max(callCycles/row, 1); rows >= whole {
		rows -= rows % whole
	}
	if rows < p.OutH {
		return rows, 1
	}
	return p.OutH, max(1, callCycles/(perPlane+row*p.OutH))
}
