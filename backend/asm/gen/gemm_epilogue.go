package main

// epilogue writes what follows the sum: for integers the conversion, then alpha, bias, clip, residual and the store.
// In AVX2 kernels there are two: with partial, vectors of C's width are accessed under masks.
func (t *tile) epilogue(ints, partial bool) {
	if ints {
		t.dequantize(partial)
	} else {
		t.alpha()
	}
	t.bias(partial)
	t.biasRow()
	t.clip()
	t.residual(partial)
	t.store(partial)
}

// each runs f over the tile's accumulators.
func (t *tile) each(f func(r, v int, acc Reg)) {
	for r, row := range t.acc {
		for v, acc := range row {
			f(r, v, acc)
		}
	}
}

// masked says whether vector v is accessed under a mask.
func (t *tile) masked(v int, partial bool) bool {
	return t.evex() && v == t.nv-1 || !t.evex() && partial
}

// load reads vector v of a row of C's width.
func (t *tile) load(from Mem, v int, partial bool, to Reg) {
	switch {
	case !t.masked(v, partial):
		t.Op("VMOVUPS", from, to)
	case t.evex():
		t.Zeroed("VMOVUPS", t.tail, from, to)
	default:
		t.Op("VMOVUPS", At(t.masks, 32*v), to)
		t.Op("VMASKMOVPS", from, to, to)
	}
}

// unless jumps over what is written by f when the field is zero, or has none of the bits.
func (t *tile) unless(field string, bits int, f func()) {
	skip := t.Label("no" + field)
	if bits == 0 {
		t.Op("CMPQ", t.Field(field), Imm(0))
	} else {
		t.Op("TESTQ", Imm(bits), t.Field(field))
	}
	t.Op("JZ", skip)
	f()
	t.Bind(skip)
}

// dequantize subtracts what B's zero points ask for, stores the integers if they are wanted, and scales.
func (t *tile) dequantize(partial bool) {
	w := t.ISA.Width
	row, col := t.V("row"), t.V("col")
	t.unless("ZeroB", 0, func() {
		zb, sums := t.perCol("ZeroB"), t.perRow("RowSum")
		for r := range t.mr {
			t.Op("VPBROADCASTD", At(sums, 4*r), row)
			for v, acc := range t.acc[r] {
				t.Op("VPMULLD", At(zb, w*v), row, col)
				t.Op("VPSUBD", col, acc, acc)
			}
		}
		t.Free(zb, sums)
	})
	t.Free(row, col)
	floats := t.Label("floats")
	t.Op("TESTQ", Imm(gemmInt), t.Field("Flags"))
	t.Op("JZ", floats)
	t.store(partial)
	t.Op("JMP", t.done)
	t.Bind(floats)
	row, col = t.V("row"), t.V("col")
	sa, sb := t.perRow("ScaleA"), t.perCol("ScaleB")
	var sbs []Reg
	for v := 0; v < t.nv && t.FreeV() > 0; v++ {
		sbs = append(sbs, t.V("scaleB"))
		t.Op("VMOVUPS", At(sb, w*v), sbs[v])
	}
	for r := range t.mr {
		t.Op("VBROADCASTSS", At(sa, 4*r), row)
		for v, acc := range t.acc[r] {
			t.Op("VCVTDQ2PS", acc, acc)
			if v < len(sbs) {
				t.Op("VMULPS", sbs[v], row, col)
			} else {
				t.Op("VMULPS", At(sb, w*v), row, col)
			}
			t.Op("VMULPS", col, acc, acc)
		}
	}
	t.Free(append(sbs, row, col, sa, sb)...)
}

func (t *tile) alpha() {
	t.unless("Flags", gemmAlpha, func() {
		a := t.V("alpha")
		t.Op("VBROADCASTSS", t.Field("Alpha"), a)
		t.each(func(_, _ int, acc Reg) { t.Op("VMULPS", a, acc, acc) })
		t.Free(a)
	})
}

func (t *tile) bias(partial bool) {
	t.unless("Bias", 0, func() {
		p, b := t.perCol("Bias"), t.V("bias")
		for v := range t.nv {
			t.load(At(p, v*t.ISA.Width), v, partial, b)
			for r := range t.mr {
				t.Op("VADDPS", b, t.acc[r][v], t.acc[r][v])
			}
		}
		t.Free(p, b)
	})
}

func (t *tile) biasRow() {
	t.unless("BiasRow", 0, func() {
		p, b := t.perRow("BiasRow"), t.V("bias")
		for r := range t.mr {
			t.Op("VBROADCASTSS", At(p, 4*r), b)
			for _, acc := range t.acc[r] {
				t.Op("VADDPS", b, acc, acc)
			}
		}
		t.Free(p, b)
	})
}

// clip replaces values below Lo and above Hi; NaN stays, as the value is the second source.
func (t *tile) clip() {
	t.unless("Flags", gemmClip, func() {
		lo, hi := t.V("lo"), t.V("hi")
		t.Op("VBROADCASTSS", t.Field("Lo"), lo)
		t.Op("VBROADCASTSS", t.Field("Hi"), hi)
		t.each(func(_, _ int, acc Reg) {
			t.Op("VMAXPS", acc, lo, acc)
			t.Op("VMINPS", acc, hi, acc)
		})
		t.Free(lo, hi)
	})
}

func (t *tile) residual(partial bool) {
	t.unless("Residual", 0, func() {
		at, _, free := t.rows("Residual", "LDR", "OffR")
		x := t.V("residual")
		t.each(func(r, v int, acc Reg) {
			m := at(r, v*t.ISA.Width)
			if t.masked(v, partial) {
				t.load(m, v, partial, x)
				t.Op("VADDPS", x, acc, acc)
			} else {
				t.Op("VADDPS", m, acc, acc)
			}
		})
		t.Free(x)
		free()
	})
}

func (t *tile) store(partial bool) {
	at, _, free := t.rows("C", "LDC", "OffC")
	x := t.V("mask")
	t.each(func(r, v int, acc Reg) {
		m := at(r, v*t.ISA.Width)
		switch {
		case !t.masked(v, partial):
			t.Op("VMOVUPS", acc, m)
		case t.evex():
			t.Masked("VMOVUPS", t.tail, acc, m)
		default:
			t.Op("VMOVUPS", At(t.masks, 32*v), x)
			t.Op("VMASKMOVPS", acc, x, m)
		}
	})
	t.Free(x)
	free()
}
