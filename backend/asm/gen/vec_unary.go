package main

import "github.com/qrun-onnx/qrun/backend/asm/coef"

// unaryFunc is an elementwise function: it leaves f(x) in x. p0 and p1 are there if it uses that many parameters.
type unaryFunc struct {
	name   string
	params int
	body   func(v *vec, x, p0, p1 wide)
}

// unaryFuncs are in the order of package asm's Unary.
func unaryFuncs() []unaryFunc {
	return []unaryFunc{
		{"Relu", 0, func(v *vec, x, _, _ wide) { v.relu(x) }},
		{"Clip", 2, func(v *vec, x, lo, hi wide) {
			v.op("VMAXPS", x, lo, x)
			v.op("VMINPS", x, hi, x)
		}},
		{"LeakyRelu", 1, func(v *vec, x, p0, _ wide) {
			y := v.wide("y")
			v.op("VMULPS", p0, x, y)
			v.ifNegative(x, y, x)
			v.release(y)
		}},
		{"HardSigmoid", 2, func(v *vec, x, p0, p1 wide) { v.hardSigmoid(x, p0, p1) }},
		{"HardSwish", 0, func(v *vec, x, _, _ wide) {
			y := v.wide("y")
			v.op("VMOVAPS", x, y)
			v.hardSigmoid(y, val(coef.OneSixth), val(0.5))
			v.op("VMULPS", y, x, x)
			v.release(y)
		}},
		{"Abs", 0, func(v *vec, x, _, _ wide) { v.abs(x, x) }},
		{"Neg", 0, func(v *vec, x, _, _ wide) { v.op("VXORPS", splat(1<<31), x, x) }},
		{"Sqrt", 0, func(v *vec, x, _, _ wide) { v.op("VSQRTPS", x, x) }},
		{"Reciprocal", 0, func(v *vec, x, _, _ wide) {
			one := v.wide("one")
			v.set(val(1), one)
			v.op("VDIVPS", x, one, x)
			v.release(one)
		}},
		{"Exp", 0, func(v *vec, x, _, _ wide) {
			hi := v.wide("hi")
			v.clampAbove(val(coef.ExpHi), x, hi)
			v.release(hi)
			v.exp(x)
		}},
		{"Log", 0, func(v *vec, x, _, _ wide) { v.log(x) }},
		{"Erf", 0, func(v *vec, x, _, _ wide) { v.erf(x) }},
		{"Tanh", 0, func(v *vec, x, _, _ wide) { v.tanh(x) }},
		{"Sigmoid", 0, func(v *vec, x, _, _ wide) {
			y := v.wide("y")
			v.sigmoid(x, y)
			v.op("VMOVAPS", y, x)
			v.release(y)
		}},
		{"Gelu", 0, func(v *vec, x, _, _ wide) {
			h := v.wide("half")
			v.op("VMULPS", val(0.5), x, h)
			v.op("VMULPS", val(coef.RSqrt2), x, x)
			v.erf(x)
			v.op("VADDPS", val(1), x, x)
			v.op("VMULPS", x, h, x)
			v.release(h)
		}},
		{"GeluTanh", 0, func(v *vec, x, _, _ wide) {
			h, c := v.wide("half"), v.wide("cube")
			v.op("VMULPS", val(0.5), x, h)
			v.op("VMULPS", x, x, c)
			v.op("VMULPS", x, c, c)
			v.op("VMULPS", val(coef.GeluCubic), c, c)
			v.op("VADDPS", c, x, x)
			v.release(c)
			v.op("VMULPS", val(coef.Sqrt2OverPi), x, x)
			v.tanh(x)
			v.op("VADDPS", val(1), x, x)
			v.op("VMULPS", x, h, x)
			v.release(h)
		}},
		{"Silu", 0, func(v *vec, x, _, _ wide) {
			y := v.wide("y")
			v.sigmoid(x, y)
			v.op("VMULPS", y, x, x)
			v.release(y)
		}},
		{"QuickGelu", 1, func(v *vec, x, p0, _ wide) {
			y, s := v.wide("y"), v.wide("s")
			v.op("VMULPS", p0, x, s)
			v.sigmoid(s, y)
			v.op("VMULPS", y, x, x)
			v.release(y, s)
		}},
		{"Elu", 1, func(v *vec, x, p0, _ wide) {
			y, lo := v.wide("y"), v.wide("lo")
			v.set(val(coef.Expm1Lo), lo)
			v.op("VMAXPS", x, lo, y)
			v.release(lo)
			v.expm1(y)
			v.op("VMULPS", y, p0, y)
			v.ifNegative(x, y, x)
			v.release(y)
		}},
		{"Softplus", 0, func(v *vec, x, _, _ wide) {
			y, s := v.wide("y"), v.wide("s")
			v.negAbs(x, y)
			v.exp(y)
			v.op("VADDPS", val(2), y, s)
			v.op("VDIVPS", s, y, y)
			v.op("VMULPS", y, y, s)
			q := v.wide("q")
			v.horner(coef.Log1pQ[:], 1, s, q)
			v.op("VMULPS", q, y, y)
			v.release(s, q)
			v.relu(x)
			v.op("VADDPS", y, x, x)
			v.release(y)
		}},
		{"Floor", 0, func(v *vec, x, _, _ wide) { v.round(9, x) }},
		{"Ceil", 0, func(v *vec, x, _, _ wide) { v.round(10, x) }},
		{"Round", 0, func(v *vec, x, _, _ wide) { v.round(8, x) }},
		{"MulAdd", 2, func(v *vec, x, p0, p1 wide) {
			v.op("VMULPS", p0, x, x)
			v.op("VADDPS", p1, x, x)
		}},
	}
}

func (v *vec) relu(x wide) {
	zero := v.wide("zero")
	v.clampBelow(0, x, zero)
	v.release(zero)
}

// ifNegative is dst = yes where x < 0, else x.
func (v *vec) ifNegative(x, yes, dst wide) {
	m := v.newMask("negative")
	v.cmp(less, x, splat(0), m)
	v.blend(m, yes, x, dst)
	v.freeMask(m)
}

// hardSigmoid is max(0, min(1, x*p0+p1)) in place, two roundings.
func (v *vec) hardSigmoid(x wide, p0, p1 any) {
	t := v.wide("t")
	v.op("VMULPS", p0, x, x)
	v.op("VADDPS", p1, x, x)
	v.clampAbove(val(1), x, t)
	v.clampBelow(0, x, t)
	v.release(t)
}

// round rounds to an integer; mode is 8 nearest even, 9 down, 10 up.
func (v *vec) round(mode int, x wide) {
	op := "VROUNDPS"
	if v.hasMasks() {
		op = "VRNDSCALEPS"
	}
	v.op(op, Imm(mode), x, x)
}

// sideBySide is the number of blocks of 16 elements that functions of many steps compute at a time.
const sideBySide = 4

// vecISAs are the instruction sets that vector kernels are written for.
var vecISAs = []*ISA{AVX2, AVX512, NEON}

func vecUnaryFamily() *Family {
	args := &Args{Name: "VecUnary", Fields: []Field{
		{"Dst", "*float32", "N results; may be Src"}, {"Src", "*float32", "N elements"}, {"N", "int64", ""},
		{"F", "int64", "the Unary, for the Go code"}, {"P0", "float32", ""}, {"P1", "float32", "parameters"},
	}}
	f := &Family{
		Name: "vec_unary", Type: "VecUnary", Args: args, Scalar: "vecUnaryScalar",
		Doc: "VecUnary is an elementwise function: Dst[i] = UnaryOf(F, Src[i], P0, P1).",
	}
	for _, isa := range vecISAs {
		for _, u := range unaryFuncs() {
			f.Kernels = append(f.Kernels, vecKernel("vecUnary"+u.name, isa, args, func(v *vec) {
				dst, src := v.Load("Dst"), v.Load("Src")
				var p [2]wide
				for i := range u.params {
					p[i] = v.uniform("p")
					v.fill(v.Field([]string{"P0", "P1"}[i]), p[i])
				}
				s := v.newSpan(v.Load("N"))
				v.sideBySide(sideBySide, s, func(m *mask) {
					x := v.wide("x")
					v.load(m, s.at(src), x)
					u.body(v, x, p[0], p[1])
					v.store(m, x, s.at(dst))
					v.release(x)
				})
				v.Ret()
			}))
		}
	}
	return f
}
