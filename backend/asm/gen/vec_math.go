package main

import "github.com/qrun-onnx/qrun/backend/asm/coef"

// The functions below follow package asm's Go reference operation by operation.

// horner leaves the polynomial of x with those coefficients, times scale (a power of two), in y.
func (v *vec) horner(c []float32, scale float32, x, y wide) {
	if v.ISA.arm() {
		v.neonHorner(c, scale, x, y)
		return
	}
	v.set(val(float64(c[len(c)-1]*scale)), y)
	for i := len(c) - 2; i >= 0; i-- {
		v.op("VFMADD213PS", val(float64(c[i]*scale)), x, y)
	}
}

// reduce leaves r in x and the biased exponent's bits in t.
func (v *vec) reduce(x, t, n wide, magic float64) {
	v.set(val(magic), t)
	v.op("VFMADD231PS", val(coef.Log2E), x, t)
	v.op("VSUBPS", val(magic), t, n)
	v.op("VFMADD231PS", val(-coef.Ln2Hi), n, x)
	v.op("VFMADD231PS", val(-coef.Ln2Lo), n, x)
}

// clampBelow is maxNaN(lo, x) in place.
func (v *vec) clampBelow(lo splat, x, tmp wide) {
	if v.ISA.arm() {
		v.op("VMAXPS", x, lo, x)
		return
	}
	if r, ok := v.operand(lo).(Reg); ok {
		v.op("VMAXPS", x, r, x)
		return
	}
	v.set(lo, tmp)
	v.op("VMAXPS", x, tmp, x)
}

// clampAbove is minNaN(hi, x) in place.
func (v *vec) clampAbove(hi splat, x, tmp wide) {
	if v.ISA.arm() {
		v.op("VMINPS", x, hi, x)
		return
	}
	if r, ok := v.operand(hi).(Reg); ok {
		v.op("VMINPS", x, r, x)
		return
	}
	v.set(hi, tmp)
	v.op("VMINPS", x, tmp, x)
}

// exp is expCore in place.
func (v *vec) exp(x wide) {
	t, q := v.wide("t"), v.wide("q")
	v.clampBelow(val(coef.ExpLo), x, t)
	v.reduce(x, t, q, coef.MagicExp)
	v.horner(append([]float32{1, 1}, coef.ExpQ[:]...), 2, x, q)
	v.op("VPSLLD", Imm(23), t, t)
	v.op("VMULPS", t, q, x)
	v.release(t, q)
}

// expm1 is expm1Neg in place.
func (v *vec) expm1(x wide) {
	t, q := v.wide("t"), v.wide("q")
	v.reduce(x, t, q, coef.MagicExpm1)
	v.horner(coef.ExpQ[:], 1, x, q)
	v.op("VPSLLD", Imm(23), t, t)
	r2 := v.wide("r2")
	v.op("VMULPS", x, x, r2)
	v.op("VFMADD213PS", x, r2, q)
	v.op("VSUBPS", val(1), t, x)
	v.op("VFMADD231PS", q, t, x)
	v.release(t, q, r2)
}

// abs clears the sign: dst = |x|.
func (v *vec) abs(x, dst wide) {
	if v.ISA.arm() {
		v.op("FABS.4S", x, dst)
		return
	}
	v.op("VANDPS", splat(0x7fffffff), x, dst)
}

// negAbs sets the sign: dst = -|x|.
func (v *vec) negAbs(x, dst wide) { v.op("VORPS", splat(1<<31), x, dst) }

// copySign gives x the magnitude of y, which is clobbered.
func (v *vec) copySign(x, y wide) {
	if v.ISA.arm() {
		v.op("BIF.16B", splat(1<<31), y, x)
		return
	}
	if v.hasMasks() {
		v.op("VPTERNLOGD", Imm(0xe4), splat(1<<31), y, x) // the bit of x where the constant has one, else of y
		return
	}
	v.op("VANDPS", splat(1<<31), x, x)
	v.op("VANDPS", splat(0x7fffffff), y, y)
	v.op("VORPS", y, x, x)
}

// erf in place.
func (v *vec) erf(x wide) {
	t, w := v.wide("t"), v.wide("w")
	v.abs(x, t)
	v.clampAbove(val(coef.ErfHi), t, w)
	v.horner(coef.ErfW[:], -1, t, w)
	v.op("VMULPS", t, w, t)
	v.release(w)
	v.expm1(t)
	v.copySign(x, t)
	v.release(t)
}

// tanh in place.
func (v *vec) tanh(x wide) {
	t, w := v.wide("t"), v.wide("w")
	v.negAbs(x, t)
	v.clampBelow(val(-coef.TanhHi), t, w)
	v.release(w)
	v.op("VADDPS", t, t, t)
	v.expm1(t)
	w = v.wide("w")
	v.op("VADDPS", val(2), t, w)
	v.op("VDIVPS", w, t, t)
	v.release(w)
	v.copySign(x, t)
	v.release(t)
}

// sigmoid leaves the function of x in y.
func (v *vec) sigmoid(x, y wide) {
	v.negAbs(x, y)
	v.exp(y)
	n, d, m := v.wide("n"), v.wide("d"), v.newMask("negative")
	v.set(val(1), n)
	v.op("VADDPS", y, n, d)
	v.cmp(less, x, splat(0), m)
	v.blend(m, y, n, n)
	v.op("VDIVPS", d, n, y)
	v.release(n, d)
	v.freeMask(m)
}

// log in place.
func (v *vec) log(x wide) {
	y, n, i := v.wide("y"), v.wide("n"), v.wide("i")
	m := v.newMask("special")
	v.op("VMULPS", val(0x1p25), x, i)
	v.set(0, n)
	v.set(val(-25), y)
	v.cmp(less, x, val(0x1p-126), m)
	v.blend(m, y, n, n)
	v.blend(m, i, x, y)
	v.op("VPSUBD", splat(coef.SqrtHalfBits), y, i)
	v.op("VPSRAD", Imm(23), i, i)
	f := v.wide("f")
	v.op("VCVTDQ2PS", i, f)
	v.op("VADDPS", f, n, n)
	v.op("VPSLLD", Imm(23), i, i)
	v.op("VPSUBD", i, y, f)
	v.op("VSUBPS", val(1), f, f)
	q, f2 := y, i
	v.horner(coef.LogQ[:], 1, f, q)
	v.op("VMULPS", f, f, f2)
	r := v.wide("r")
	v.op("VMULPS", f2, f, r)
	v.op("VMULPS", q, r, r)
	v.op("VFMADD231PS", val(-0.5), f2, r)
	v.op("VFMADD231PS", val(coef.Ln2Lo), n, r)
	v.op("VADDPS", r, f, r)
	v.op("VFMADD231PS", val(coef.Ln2Hi), n, r)
	v.cmp(notLess, x, splat(0x7f800000), m)
	v.blend(m, x, r, r)
	v.cmp(less, x, splat(0), m)
	v.set(splat(0x7fc00000), y)
	v.blend(m, y, r, r)
	v.cmp(equal, x, splat(0), m)
	v.set(splat(0xff800000), y)
	v.blend(m, y, r, x)
	v.release(y, n, i, f, r)
	v.freeMask(m)
}
