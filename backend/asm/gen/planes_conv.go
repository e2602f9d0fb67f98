package main

import "fmt"

// windowShapes are the windows that depthwise convolution has kernels for: rows and columns, stride, and how many output
// rows are computed at a time where there are 32 registers and with AVX2.
var windowShapes = []struct{ kh, kw, stride, wide, narrow int }{
	{3, 3, 1, 4, 4}, {3, 3, 2, 2, 2}, {5, 5, 1, 4, 2}, {5, 5, 2, 2, 2}, {7, 7, 1, 3, 3},
}

// depthwisePlanesFamily are the convolutions of planes, each with weights of its own.
func depthwisePlanesFamily() *Family {
	f := &Family{
		Name: "depthwise_planes", Type: "DepthwisePlanes", Args: planesArgs, Scalar: "depthwisePlanesScalar",
		Doc: "DepthwisePlanes is a kernel of two-dimensional depthwise convolution. What lies outside a plane is 0. M and\n" +
			"N are the window's:\n\n" +
			"	for y := range Rows { for x := range OutW {\n" +
			"		acc := float32(0)\n" +
			"		for i := range KH { for j := range KW {\n" +
			"			acc = fma(W[i][j], X[y*Stride+Row+i][x*Stride-Pad+j], acc)\n" +
			"		}}\n" +
			"		Dst[y][x] = clip(acc + Bias)\n" +
			"	}}",
	}
	for _, isa := range vecISAs {
		for _, s := range windowShapes {
			rows := s.narrow
			if isa != AVX2 {
				rows = s.wide
			}
			name := fmt.Sprintf("depthwisePlanes%dx%dStride%d%s", s.kh, s.kw, s.stride, isa.Suffix)
			f.Kernels = append(f.Kernels, depthwisePlanes(newPlanes(name, isa, s.kh, s.kw, s.stride, rows)))
		}
	}
	return f
}

func depthwisePlanes(p *planes) *Kernel {
	var w []Reg // the weights, where there are registers for them
	load := func(from Reg) {
		for i, x := range w {
			p.Op("VBROADCASTSS", At(from, 4*i), x)
		}
	}
	if n := p.kh * p.kw; p.ISA.arm() {
		w, load = p.neonWeights()
	} else if p.FreeV() >= n+p.rows+p.kh/3*3 {
		for range n {
			w = append(w, p.V("weight"))
		}
	}
	p.run(func() {
		from := p.Load("W")
		p.Op("ADDQ", p.Field("OffW"), from)
		load(from)
		p.Free(from)
	}, func() {
		acc := make([]Reg, p.rows)
		for r := range acc {
			acc[r] = p.V("acc")
			p.Clear(acc[r])
		}
		p.sums(w, acc)
		p.finish(acc)
		p.Free(acc...)
	})
	return p.Kernel
}

// sums adds the products, those of each result in ascending order of rows and columns.
func (p *planes) sums(w, acc []Reg) {
	var from Reg
	if w == nil {
		from = p.Load("W")
		p.Op("ADDQ", p.Field("OffW"), from)
	}
	for i := range p.ptr {
		tap := func(x Reg, j int) {
			for r := range acc {
				row := i - r*p.stride
				t := row*p.kw + j
				switch {
				case row < 0 || row >= p.kh || j >= p.kw:
				case p.ISA.arm():
					p.Op("FMLA.4S", w[t/4].Lane(t%4), x, acc[r])
				case p.evex() && w == nil:
					p.Op("VFMADD231PS", At(from, 4*t).Bcst(), x, acc[r])
				case w != nil:
					p.Op("VFMADD231PS", x, w[t], acc[r])
				default:
					y := p.V("weight")
					p.Op("VBROADCASTSS", At(from, 4*t), y)
					p.Op("VFMADD231PS", x, y, acc[r])
					p.Free(y)
				}
			}
		}
		for l := 0; l < p.loads(); l += p.stride {
			a := p.V("a")
			p.load(i, l, a)
			if p.stride == 1 {
				tap(a, l)
				p.Free(a)
				continue
			}
			b, x := p.V("b"), p.V("x")
			p.load(i, l+1, b)
			p.Op("VSHUFPS", Imm(0x88), b, a, x)
			tap(x, l)
			if l+1 < p.kw {
				p.Op("VSHUFPS", Imm(0xdd), b, a, x)
				tap(x, l+1)
			}
			p.Free(a, b, x)
		}
	}
	if w == nil {
		p.Free(from)
	}
}

// finish adds the bias, clips and stores.
func (p *planes) finish(acc []Reg) {
	x, bias, none := p.V("x"), p.Load("Bias"), p.Label("unbiased")
	p.Op("TESTQ", bias, bias)
	p.Op("JZ", none)
	p.Op("ADDQ", p.Field("OffB"), bias)
	p.Op("VBROADCASTSS", At(bias, 0), x)
	for _, a := range acc {
		p.Op("VADDPS", x, a, a)
	}
	p.Bind(none)
	p.Free(bias)
	for _, c := range [][2]string{{"VMAXPS", "Lo"}, {"VMINPS", "Hi"}} {
		p.Op("VBROADCASTSS", p.Field(c[1]), x)
		for _, a := range acc {
			p.Op(c[0], a, x, a)
		}
	}
	p.Free(x)
	for _, a := range acc {
		p.ordered(a)
	}
	p.store(acc)
}
