package main

import "math"

// mask finds the masks of the panel's columns.
func (t *amx) mask() {
	cols, bits, narrow := t.Load("Cols"), t.GP("bits"), t.Label("narrow")
	t.Op("SUBQ", t.Field("Done"), cols)
	t.Op("MOVQ", Imm(0), t.Field("Whole"))
	t.Op("CMPQ", cols, Imm(amxCols))
	t.Op("JL", narrow)
	t.Op("MOVQ", Imm(1), t.Field("Whole"))
	t.Op("MOVQ", Imm(amxCols), cols)
	t.Bind(narrow)
	t.Op("MOVQ", Imm(1), bits)
	t.Op("SHLXQ", cols, bits, bits)
	t.Op("DECQ", bits)
	t.Op("KMOVW", bits, t.masks[0])
	t.Op("SHRQ", Imm(16), bits)
	t.Op("KMOVW", bits, t.masks[1])
	t.Free(cols, bits)
}

// finish writes the rows of each panel of the tile from its sums.
func (t *amx) finish() {
	n := t.spanOf("Panels")
	t.Op("MOVQ", n, t.Field("Span"))
	t.Free(n)
	sums := t.at("Scratch", "OffT")
	t.Op("MOVQ", Imm(0), t.Field("Done")) // columns of panels before
	panel, stored, ints := t.Label("finish"), t.Label("stored"), t.Label("ints")
	t.Bind(panel)
	t.mask()
	e := &amxRows{amx: t, sums: sums}
	e.col = t.Load("OffCol")
	done := t.Load("Done")
	t.Op("LEAQ", At(e.col, 0).Idx(done, 4), e.col)
	t.Free(done)
	e.begin()
	t.Op("TESTQ", Imm(gemmInt), t.Field("Flags"))
	t.Op("JNZ", ints)
	e.floats()
	t.Op("JMP", stored)
	t.Bind(ints)
	e.loop("introw", func() { e.store() })
	t.Bind(stored)
	e.end()
	t.Op("ADDQ", Imm(amxCols), t.Field("Done"))
	n = t.Load("Span")
	t.Op("SHLQ", Imm(5), n)
	t.Op("CMPQ", t.Field("Done"), n)
	t.Op("JL", panel)
	t.Free(n, sums)
}

// amxRows finishes the rows of one panel.
type amxRows struct {
	*amx
	sums, col        Reg // next row of sums, bytes of columns before the panel
	c, ldc, i, end4  Reg // next row of C, bytes between, 4*row, its end
	zero, zb, rowSum Reg
	comp, acc, zeroB [2]Reg
}

func (e *amxRows) begin() {
	e.c, e.ldc, e.i, e.end4 = e.at("C", "OffC"), e.Load("LDC"), e.GP("i"), e.Load("Rows")
	e.Op("ADDQ", e.col, e.c)
	e.Op("XORQ", e.i, e.i)
	e.Op("SHLQ", Imm(2), e.end4)
	e.zero, e.zb, e.rowSum = e.at("ZeroA", "OffRow"), e.Load("ZeroB"), e.at("RowSum", "OffRow")
	comp, none := e.Load("Comp"), e.Label("noZeroB")
	for v := range 2 {
		e.comp[v], e.acc[v], e.zeroB[v] = e.V("comp"), e.V("acc"), e.V("zeroB")
		e.Op("VMOVDQU32", At(comp, 64*v).Idx(e.col, 1), e.comp[v])
	}
	e.Free(comp)
	e.Op("TESTQ", e.zb, e.zb)
	e.Op("JZ", none)
	for v := range 2 {
		e.Op("VMOVDQU32", At(e.zb, 64*v).Idx(e.col, 1), e.zeroB[v])
	}
	e.Bind(none)
}

func (e *amxRows) end() {
	e.Free(e.col, e.c, e.ldc, e.i, e.end4, e.zero, e.zb, e.rowSum)
	for v := range 2 {
		e.Free(e.comp[v], e.acc[v], e.zeroB[v])
	}
}

// loop runs body for each row, with the corrected integers in acc.
func (e *amxRows) loop(name string, body func()) {
	row, plain, t := e.Label(name), e.Label(name+"Plain"), e.V("t")
	e.Bind(row)
	for v, acc := range e.acc {
		e.Op("VMOVDQU32", At(e.sums, 64*v), acc)
		e.Op("VPDPWSSD", At(e.zero, 0).Idx(e.i, 1).Bcst(), e.comp[v], acc)
	}
	e.Op("TESTQ", e.zb, e.zb)
	e.Op("JZ", plain)
	for v, acc := range e.acc {
		e.Op("VPMULLD", At(e.rowSum, 0).Idx(e.i, 1).Bcst(), e.zeroB[v], t)
		e.Op("VPSUBD", t, acc, acc)
	}
	e.Bind(plain)
	e.Free(t)
	body()
	e.Op("ADDQ", Imm(amxRow), e.sums)
	e.Op("ADDQ", e.ldc, e.c)
	e.Op("ADDQ", Imm(4), e.i)
	e.Op("CMPQ", e.i, e.end4)
	e.Op("JL", row)
}

// store writes the row; a whole one without masks, which cost as much again.
func (e *amxRows) store() {
	narrow, stored := e.Label("narrowRow"), e.Label("storedRow")
	e.Op("CMPQ", e.Field("Whole"), Imm(0))
	e.Op("JZ", narrow)
	for v, acc := range e.acc {
		e.Op("VMOVUPS", acc, At(e.c, 64*v))
	}
	e.Op("JMP", stored)
	e.Bind(narrow)
	for v, acc := range e.acc {
		e.Masked("VMOVUPS", e.masks[v], acc, At(e.c, 64*v))
	}
	e.Bind(stored)
}

// floats scales the integers and applies the epilogue. Adding -0 where there is no bias changes nothing.
func (e *amxRows) floats() {
	sa, p := e.at("ScaleA", "OffRow"), e.Load("ScaleB")
	var sb, bias [2]Reg
	for v := range 2 {
		sb[v], bias[v] = e.V("scaleB"), e.V("bias")
		e.Op("VMOVUPS", At(p, 64*v).Idx(e.col, 1), sb[v])
		e.Op("VBROADCASTSS", e.F32(float32(math.Copysign(0, -1))), bias[v])
	}
	none := e.Label("noBias")
	e.Op("MOVQ", e.Field("Bias"), p)
	e.Op("TESTQ", p, p)
	e.Op("JZ", none)
	for v := range 2 {
		e.Zeroed("VMOVUPS", e.masks[v], At(p, 64*v).Idx(e.col, 1), bias[v])
	}
	e.Bind(none)
	// p becomes non-zero when a row needs more.
	e.Op("MOVQ", e.Field("Flags"), p)
	e.Op("ANDQ", Imm(gemmClip), p)
	e.Op("ORQ", e.Field("BiasRow"), p)
	e.Op("ORQ", e.Field("Residual"), p)
	s, plain := e.V("s"), e.Label("plain")
	e.loop("row", func() {
		for v, acc := range e.acc {
			e.Op("VCVTDQ2PS", acc, acc)
			e.Op("VMULPS", At(sa, 0).Idx(e.i, 1).Bcst(), sb[v], s)
			e.Op("VMULPS", s, acc, acc)
			e.Op("VADDPS", bias[v], acc, acc)
		}
		e.Op("TESTQ", p, p)
		e.Op("JZ", plain)
		e.more(s)
		e.Bind(plain)
		e.store()
	})
	e.Free(s, sa, p, sb[0], sb[1], bias[0], bias[1])
}

// more applies row bias, clip and residual.
func (e *amxRows) more(s Reg) {
	p := e.GP("p")
	unless := func(field string, f func()) {
		skip := e.Label("no" + field)
		e.Op("MOVQ", e.Field(field), p)
		e.Op("TESTQ", p, p)
		e.Op("JZ", skip)
		f()
		e.Bind(skip)
	}
	unless("BiasRow", func() {
		e.Op("ADDQ", e.Field("OffRow"), p)
		for _, acc := range e.acc {
			e.Op("VADDPS", At(p, 0).Idx(e.i, 1).Bcst(), acc, acc)
		}
	})
	noClip := e.Label("noClip")
	e.Op("TESTQ", Imm(gemmClip), e.Field("Flags"))
	e.Op("JZ", noClip)
	for _, acc := range e.acc {
		e.Op("VBROADCASTSS", e.Field("Lo"), s)
		e.Op("VMAXPS", acc, s, acc)
		e.Op("VBROADCASTSS", e.Field("Hi"), s)
		e.Op("VMINPS", acc, s, acc)
	}
	e.Bind(noClip)
	unless("Residual", func() {
		row := e.GP("row")
		e.Op("MOVQ", e.i, row)
		e.Op("SHRQ", Imm(2), row)
		e.Op("IMULQ", e.Field("LDR"), row)
		e.Op("ADDQ", e.Field("OffR"), p)
		e.Op("ADDQ", row, p)
		for v, acc := range e.acc {
			e.Zeroed("VMOVUPS", e.masks[v], At(p, 64*v).Idx(e.col, 1), s)
			e.Op("VADDPS", s, acc, acc)
		}
		e.Free(row)
	})
	e.Free(p)
}
