package main

// neonConstant is the constant's place in the table, to which the register pool points.
func (v *vec) neonConstant(x ...uint32) Mem {
	key := [4]uint32(x)
	m, ok := v.quads[key]
	if !ok {
		m = At(v.pool, v.Lanes(x...).Disp)
		v.quads[key] = m
	}
	return m
}

// neonLoad is load on arm64.
func (v *vec) neonLoad(m *mask, src Mem, dst wide) {
	at, temps := v.neonAddress(src)
	if m == nil {
		v.neonPairs("LDP.Q", "LDR.Q", at, dst)
	} else {
		for _, r := range dst {
			v.Clear(r)
		}
		v.neonTail(m, at, dst, true)
	}
	v.Free(temps...)
}

// neonStore is store on arm64.
func (v *vec) neonStore(m *mask, src wide, dst Mem) {
	at, temps := v.neonAddress(dst)
	if m == nil {
		v.neonPairs("STP.Q", "STR.Q", at, src)
	} else {
		v.neonTail(m, at, src, false)
	}
	v.Free(temps...)
}

// neonPairs moves a whole block.
func (v *vec) neonPairs(pair, single string, at Mem, w wide) {
	for i := 0; i < 4; i += 2 {
		m := at.Add(16 * i)
		switch {
		case m.Disp >= -1024 && m.Disp < 1024 && m.Disp%16 == 0:
			v.move(pair, m, w[i], w[i+1])
		default:
			v.move(single, m, w[i])
			v.move(single, m.Add(16), w[i+1])
		}
	}
}

// move is a load or store, whose operands have another order.
func (v *vec) move(op string, m Mem, regs ...Operand) {
	if op[0] == 'L' {
		v.Op(op, append([]Operand{m}, regs...)...)
		return
	}
	v.Op(op, append(regs, m)...)
}

// neonTail moves the first elements of a block, as many as the mask says, 1 to 15. Others are not touched.
func (v *vec) neonTail(m *mask, at Mem, w wide, load bool) {
	q, d, s, lane := "STR.Q", "STR.D", "STR.S", "ST1.S"
	if load {
		q, d, s, lane = "LDR.Q", "LDR.D", "LDR.S", "LD1.S"
	}
	done := v.Label("whole")
	// part moves the elements after i registers: the count's two low bits.
	part := func(i int) {
		odd := v.Label("odd")
		v.Op("TBZ", Imm(1), m.rem, odd)
		v.move(d, at.Add(16*i), w[i])
		v.Op("TBZ", Imm(0), m.rem, done)
		p := v.GP("third")
		v.Op("ADD", Imm(at.Disp+16*i+8), at.Base, p)
		v.move(lane, At(p, 0), w[i].Lane(2))
		v.Free(p)
		v.Op("B", done)
		v.Bind(odd)
		v.Op("TBZ", Imm(0), m.rem, done)
		v.move(s, at.Add(16*i), w[i])
		if i > 0 {
			v.Op("B", done)
		}
	}
	few, two, none := v.Label("few"), v.Label("two"), v.Label("none")
	v.Op("TBZ", Imm(3), m.rem, few)
	v.move(q, at, w[0])
	v.move(q, at.Add(16), w[1])
	v.Op("TBZ", Imm(2), m.rem, two)
	v.move(q, at.Add(32), w[2])
	part(3)
	v.Bind(two)
	part(2)
	v.Bind(few)
	v.Op("TBZ", Imm(2), m.rem, none)
	v.move(q, at, w[0])
	part(1)
	v.Bind(none)
	part(0)
	v.Bind(done)
}

// neonMask is all bits of the lanes of the mask.
func (v *vec) neonMask(m *mask) wide {
	w, count := v.wide("mask"), v.V("count")
	v.Op("DUP.4S", m.rem, count)
	for i, r := range w {
		n := uint32(4 * i)
		v.Op("LDR.Q", v.neonConstant(n, n+1, n+2, n+3), r)
		v.Op("CMGT.4S", r, count, r)
	}
	v.Free(count)
	return w
}

// neonAny sets the flags: not zero if a lane of w is not all 0, or for all if one is not all 1. w is clobbered.
func (v *vec) neonAny(w wide, all bool) Reg {
	op := "ORR.16B"
	if all {
		op = "AND.16B"
	}
	v.Op(op, w[1], w[0], w[0])
	v.Op(op, w[3], w[2], w[2])
	v.Op(op, w[2], w[0], w[0])
	if all {
		v.Op("MVN.16B", w[0], w[0])
	}
	r := v.GP("any")
	v.Op("UMAXV.4S", w[0], w[0])
	v.Op("FMOV.S", w[0], r)
	v.Op("CMP", Imm(0), r)
	return r
}

// neonFold is fold on arm64.
func (v *vec) neonFold(op string, w, tmp wide) {
	a, t := w[0], tmp[0]
	v.Op(op, w[2], a, a)
	v.Op(op, w[3], w[1], w[1])
	v.Op(op, w[1], a, a)
	v.Op("DUP.2D", a.Lane(1), t)
	v.Op(op, t, a, a)
	v.Op("DUP.4S", a.Lane(1), t)
	v.Op(op, t, a, a)
}

// neonNarrow is narrow on arm64.
func (v *vec) neonNarrow(op string, src Reg, dst wide) {
	if op == "VCVTPH2PS" {
		v.Op("LDR.Q", At(src, 0), dst[1])
		v.Op("LDR.Q", At(src, 16), dst[3])
		for i := 0; i < 4; i += 2 {
			v.Op("FCVTL.4S", dst[i+1], dst[i])
			v.Op("FCVTL2.4S", dst[i+1], dst[i+1])
		}
		return
	}
	long := map[string]string{"VPMOVZXBD": "UXTL", "VPMOVSXBD": "SXTL"}[op]
	v.Op("LDR.Q", At(src, 0), dst[3])
	v.Op(long+".8H", dst[3], dst[1])
	v.Op(long+"2.8H", dst[3], dst[3])
	for i := 0; i < 4; i += 2 {
		v.Op(long+".4S", dst[i+1], dst[i])
		v.Op(long+"2.4S", dst[i+1], dst[i+1])
	}
}

// neonHorner is horner on arm64: each step loads its coefficient to where its sum goes.
func (v *vec) neonHorner(c []float32, scale float32, x, y wide) {
	t := v.wide("horner")
	to, from := y, t
	if len(c)%2 == 0 {
		to, from = t, y
	}
	for i := len(c) - 1; i >= 0; i-- {
		m := v.splatMem(val(float64(c[i] * scale)))
		for j, r := range to {
			v.Op("LDR.Q", m, r)
			if i < len(c)-1 {
				v.Op("FMLA.4S", x[j], from[j], r)
			}
		}
		to, from = from, to
	}
	v.release(t)
}
