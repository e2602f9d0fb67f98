package main

// lanes16 is dst = f(first source, second source) within each 16 bytes.
func lanes16(f func(res, a, b []byte, imm int)) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		imm, args := 0, in.Args
		if v, ok := args[0].(Imm); ok {
			imm, args = int(v), args[1:]
		}
		i := len(in.Args) - len(args)
		b := m.src(in, i, w, 4)
		a := b
		if len(args) == 3 {
			a = m.src(in, i+1, w, 4)
		}
		res := make([]byte, w)
		for o := 0; o < w; o += 16 {
			f(res[o:o+16], a[o:o+16], b[o:o+16], imm)
		}
		m.put(in, res, 4)
	}
}

// unpack interleaves elements of size es from the low or high half of each 16 bytes.
func unpack(es int, high bool) step {
	return lanes16(func(res, a, b []byte, _ int) {
		o := 0
		if high {
			o = 8
		}
		for i := 0; i < 8; i += es {
			copy(res[2*i:], a[o+i:o+i+es])
			copy(res[2*i+es:], b[o+i:o+i+es])
		}
	})
}

// permute is dst[i] = src[index[i]] of 32-bit elements.
func permute(m *machine, in *Instr) {
	w := widthOf(in)
	s, idx := m.src(in, 0, w, 4), m.src(in, 1, w, 4)
	res := make([]byte, w)
	for i := range w / 4 {
		putU32(res, i, u32(s, int(u32(idx, i))%(w/4)))
	}
	m.put(in, res, 4)
}

// insert is the first source with a part of n bytes (0: 16) replaced.
func insert(n int) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		a := m.src(in, 2, w, 4)
		at := int(in.Args[0].(Imm)) % (w / n)
		copy(a[at*n:], m.src(&Instr{Args: in.Args}, 1, n, 4))
		m.put(in, a, 4)
	}
}

func extract(n int) step {
	return func(m *machine, in *Instr) {
		w := in.Args[1].(Reg).width()
		at := int(in.Args[0].(Imm)) % (w / n)
		a := m.src(&Instr{Args: in.Args}, 1, w, 4)
		m.put(in, a[at*n:(at+1)*n], 4)
	}
}

func perm2x128(m *machine, in *Instr) {
	imm := in.Args[0].(Imm)
	b, a := m.src(in, 1, 32, 4), m.src(in, 2, 32, 4)
	both := append(a, b...)
	res := make([]byte, 32)
	for i := range 2 {
		c := int(imm>>(4*i)) & 15
		if c&8 == 0 {
			copy(res[16*i:16*i+16], both[16*(c&3):])
		}
	}
	m.put(in, res, 4)
}

func shuf32x4(m *machine, in *Instr) {
	w := widthOf(in)
	imm := int(in.Args[0].(Imm))
	b, a := m.src(in, 1, w, 4), m.src(in, 2, w, 4)
	n := w / 16
	res := make([]byte, w)
	for i := range n {
		s := a
		if i >= n/2 {
			s = b
		}
		bits := n / 2 // 1 for 32 bytes, 2 for 64
		c := imm >> (i * bits) & (n - 1)
		copy(res[16*i:16*i+16], s[16*c:])
	}
	m.put(in, res, 4)
}

func execShuffle() map[string]step {
	within := lanes16(func(res, a, b []byte, imm int) {
		for i := range 4 {
			copy(res[4*i:4*i+4], b[imm>>(2*i)&3*4:])
		}
	})
	return map[string]step{
		"VUNPCKLPS": unpack(4, false), "VUNPCKHPS": unpack(4, true), "VUNPCKLPD": unpack(8, false), "VUNPCKHPD": unpack(8, true),
		"VPUNPCKLBW": unpack(1, false), "VPUNPCKHBW": unpack(1, true), "VPUNPCKLWD": unpack(2, false), "VPUNPCKHWD": unpack(2, true),
		"VPUNPCKLDQ": unpack(4, false), "VPUNPCKHDQ": unpack(4, true), "VPUNPCKLQDQ": unpack(8, false), "VPUNPCKHQDQ": unpack(8, true),
		"VSHUFPS": lanes16(func(res, a, b []byte, imm int) {
			for i := range 4 {
				s := a
				if i >= 2 {
					s = b
				}
				copy(res[4*i:4*i+4], s[imm>>(2*i)&3*4:])
			}
		}),
		"VPSHUFD": within, "VPERMILPS": within,
		"VPSHUFB": lanes16(func(res, a, b []byte, _ int) {
			for i := range res {
				if b[i]&0x80 == 0 {
					res[i] = a[b[i]&15]
				}
			}
		}),
		"VMOVHLPS": func(m *machine, in *Instr) {
			b, a := m.src(in, 0, 16, 4), m.src(in, 1, 16, 4)
			m.put(in, append(b[8:16:16], a[8:16]...), 4)
		},
		"VPERMQ": func(m *machine, in *Instr) {
			w, imm := widthOf(in), int(in.Args[0].(Imm))
			a, res := m.src(in, 1, w, 8), make([]byte, w)
			for o := 0; o < w; o += 32 {
				for i := range 4 {
					copy(res[o+8*i:o+8*i+8], a[o+imm>>(2*i)&3*8:])
				}
			}
			m.put(in, res, 8)
		},
		"VPERMD": permute, "VPERMPS": permute, "VPERM2F128": perm2x128, "VPERM2I128": perm2x128,
		"VINSERTF128": insert(16), "VINSERTI128": insert(16), "VINSERTF64X4": insert(32),
		"VEXTRACTF128": extract(16), "VEXTRACTI128": extract(16), "VEXTRACTF64X4": extract(32), "VEXTRACTI64X4": extract(32),
		"VSHUFF32X4": shuf32x4, "VSHUFI32X4": shuf32x4,
	}
}
