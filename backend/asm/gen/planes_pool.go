package main

import (
	"fmt"
	"math"
)

// poolShapes are the windows that pooling has kernels for: rows and columns, and the stride. The sum of a single element
// is a copy with zeros around it.
var poolShapes = []struct{ kh, kw, stride int }{{1, 1, 1}, {1, 1, 2}, {2, 2, 2}, {3, 3, 2}, {3, 3, 1}, {5, 5, 1}}

// poolPlanesFamily are the maxima and sums of windows.
func poolPlanesFamily() *Family {
	f := &Family{
		Name: "pool_planes", Type: "PoolPlanes", Args: planesArgs, Scalar: "poolPlanesScalar",
		Doc: "PoolPlanes is a kernel of two-dimensional pooling, by the maximum of each window or by the sum. What lies outside a\n" +
			"plane is -Inf or 0. M and N are the window's:\n\n" +
			"	for y := range Rows { for x := range OutW {\n" +
			"		for j := range KW {\n" +
			"			column := X[y*Stride+Row][x*Stride-Pad+j]\n" +
			"			for i := 1; i < KH; i++ { column = f(column, X[y*Stride+Row+i][x*Stride-Pad+j]) }\n" +
			"			acc = column or f(acc, column)\n" +
			"		}\n" +
			"		Dst[y][x] = acc\n" +
			"	}}",
	}
	for _, isa := range vecISAs {
		for _, s := range poolShapes {
			for _, op := range []string{"Max", "Sum"} {
				p := newPlanes(fmt.Sprintf("poolPlanes%s%dx%dStride%d%s", op, s.kh, s.kw, s.stride, isa.Suffix), isa, s.kh, s.kw, s.stride, 1)
				if op == "Max" {
					p.outside = float32(math.Inf(-1))
				}
				f.Kernels = append(f.Kernels, poolPlanes(p))
			}
		}
	}
	return f
}

func poolPlanes(p *planes) *Kernel {
	p.run(func() {
		if p.outside != 0 && p.fill.Kind == KindNone {
			p.fill = p.V("outside")
			p.Op("VBROADCASTSS", p.F32(p.outside), p.fill)
		}
	}, func() {
		acc, x := p.V("acc"), p.V("x")
		column := func(load int, to Reg) {
			p.load(0, load, to)
			for i := 1; i < p.kh; i++ {
				p.load(i, load, x)
				p.combine(x, to)
			}
		}
		first := true
		tap := func(from Reg) {
			if first {
				p.Op("VMOVAPS", from, acc)
			} else {
				p.combine(from, acc)
			}
			first = false
		}
		for l := 0; l < p.loads(); l += p.stride {
			a := p.V("a")
			column(l, a)
			if p.stride == 1 {
				tap(a)
				p.Free(a)
				continue
			}
			b, y := p.V("b"), p.V("y")
			column(l+1, b)
			p.Op("VSHUFPS", Imm(0x88), b, a, y)
			tap(y)
			if l+1 < p.kw {
				p.Op("VSHUFPS", Imm(0xdd), b, a, y)
				tap(y)
			}
			p.Free(a, b, y)
		}
		p.ordered(acc)
		p.store([]Reg{acc})
		p.Free(acc, x)
	})
	return p.Kernel
}

// combine adds x to acc, or makes acc the larger of the two; a NaN in either stays.
func (p *planes) combine(x, acc Reg) {
	switch {
	case p.outside == 0:
		p.Op("VADDPS", x, acc, acc)
	case p.ISA.arm():
		p.neonLarger(x, acc)
	case p.evex():
		k := p.Mask("nan")
		p.Op("VCMPPS", Imm(unordered), x, x, k)
		p.Op("VMAXPS", acc, x, acc)
		p.Masked("VMOVAPS", k, x, acc)
		p.Free(k)
	default:
		t := p.V("nan")
		p.Op("VCMPPS", Imm(unordered), x, x, t)
		p.Op("VMAXPS", acc, x, acc)
		p.Op("VBLENDVPS", t, x, acc, acc)
		p.Free(t)
	}
}
