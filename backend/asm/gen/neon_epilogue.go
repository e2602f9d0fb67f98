package main

// epilogue writes what follows the sum: for integers the corrections and the conversion, then alpha, bias, clip, residual
// and the store.
func (t *neonTile) epilogue(ints, partial bool) {
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

// unless jumps over what is written by f when the field is zero, or has not the bit.
func (t *neonTile) unless(field string, bit int, f func()) {
	skip, x := t.Label("no"+field), t.Load(field)
	if bit < 0 {
		t.Op("CBZ", x, skip)
	} else {
		t.Op("TBZ", Imm(bit), x, skip)
	}
	t.Free(x)
	f()
	t.Bind(skip)
}

// Numbers of the flags' bits.
const (
	bitClip = iota
	bitInt
	bitAlpha
	bitTail
)

// product adds or subtracts, by MLA.4S or MLS.4S, a number of each row times one of each column, which arrays of whole
// panels hold.
func (t *neonTile) product(op, perRow, perCol string) {
	rows, cols := t.at(perRow, "OffRow"), t.at(perCol, "OffCol")
	x, y := t.V("row"), t.vectors(t.nv, "col")
	for v := range y {
		t.Op("LDR.Q", At(cols, 16*v), y[v])
	}
	for r, row := range t.acc {
		t.Op("LDR.S", At(rows, 4*r), x)
		for v, acc := range row {
			t.Op(op, x.Lane(0), y[v], acc)
		}
	}
	t.Free(append(y, x, rows, cols)...)
}

// dequantize corrects the sums for zero points, stores the integers if they are wanted, and scales.
func (t *neonTile) dequantize(partial bool) {
	t.product("MLA.4S", "ZeroA", "Comp")
	t.unless("ZeroB", -1, func() { t.product("MLS.4S", "RowSum", "ZeroB") })
	floats, flags := t.Label("floats"), t.Load("Flags")
	t.Op("TBZ", Imm(bitInt), flags, floats)
	t.Free(flags)
	t.store(partial)
	t.Op("B", t.done)
	t.Bind(floats)
	rows, cols := t.at("ScaleA", "OffRow"), t.at("ScaleB", "OffCol")
	sb, sa, s := t.vectors(t.nv, "scaleB"), t.V("scaleA"), t.V("scale")
	for v := range sb {
		t.Op("LDR.Q", At(cols, 16*v), sb[v])
	}
	for r, row := range t.acc {
		t.Op("LDR.S", At(rows, 4*r), sa)
		for v, acc := range row {
			t.Op("SCVTF.4S", acc, acc)
			t.Op("FMUL.4S", sa.Lane(0), sb[v], s)
			t.Op("FMUL.4S", s, acc, acc)
		}
	}
	t.Free(append(sb, sa, s, rows, cols)...)
}

func (t *neonTile) alpha() {
	t.unless("Flags", bitAlpha, func() {
		a := t.V("alpha")
		t.Op("LDR.S", t.Field("Alpha"), a)
		t.each(func(_, _ int, acc Reg) { t.Op("FMUL.4S", a.Lane(0), acc, acc) })
		t.Free(a)
	})
}

func (t *neonTile) bias(partial bool) {
	t.unless("Bias", -1, func() {
		p, b := t.at("Bias", "OffCol"), t.V("bias")
		for v := range t.nv {
			t.load(p, v, partial, b)
			for r := range t.acc {
				t.Op("FADD.4S", b, t.acc[r][v], t.acc[r][v])
			}
		}
		t.Free(p, b)
	})
}

func (t *neonTile) biasRow() {
	t.unless("BiasRow", -1, func() {
		p, b := t.at("BiasRow", "OffRow"), t.V("bias")
		for _, row := range t.acc {
			t.Op("LD1R.4S", At(p, 4).Post(), b)
			for _, acc := range row {
				t.Op("FADD.4S", b, acc, acc)
			}
		}
		t.Free(p, b)
	})
}

// clip replaces values below Lo and above Hi by comparing: FMAX and FMIN would make +0 of -0.
func (t *neonTile) clip() {
	t.unless("Flags", bitClip, func() {
		lo, hi, m := t.V("lo"), t.V("hi"), t.V("mask")
		for _, b := range []struct {
			field string
			r     Reg
		}{{"Lo", lo}, {"Hi", hi}} {
			t.Op("LDR.S", t.Field(b.field), b.r)
			t.Op("DUP.4S", b.r.Lane(0), b.r)
		}
		t.each(func(_, _ int, acc Reg) {
			t.Op("FCMGT.4S", acc, lo, m)
			t.Op("BIT.16B", m, lo, acc)
			t.Op("FCMGT.4S", hi, acc, m)
			t.Op("BIT.16B", m, hi, acc)
		})
		t.Free(lo, hi, m)
	})
}

func (t *neonTile) residual(partial bool) {
	t.unless("Residual", -1, func() {
		rows, x := t.rows(t.mr, "Residual", "LDR", "OffR"), t.V("residual")
		t.each(func(r, v int, acc Reg) {
			t.load(rows[r], v, partial, x)
			t.Op("FADD.4S", x, acc, acc)
		})
		t.Free(append(rows, x)...)
	})
}

func (t *neonTile) store(partial bool) {
	rows := t.rows(t.mr, "C", "LDC", "OffC")
	t.each(func(r, v int, acc Reg) {
		if partial && v == t.nv-1 {
			t.storePartial(acc, At(rows[r], 16*v))
			return
		}
		t.Op("STR.Q", acc, At(rows[r], 16*v))
	})
	t.Free(rows...)
}
