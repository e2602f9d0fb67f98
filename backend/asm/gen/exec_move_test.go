package main

func execMove() map[string]step {
	t := map[string]step{
		"VMASKMOVPS": maskMove, "VPMASKMOVD": maskMove,
		"VBROADCASTSS": broadcast(4), "VPBROADCASTD": broadcast(4), "VPBROADCASTW": broadcast(2), "VPBROADCASTB": broadcast(1),
		"VMOVSS": func(m *machine, in *Instr) { scalarMove(m, in, 4) },
		"VMOVSD": func(m *machine, in *Instr) { scalarMove(m, in, 8) },
	}
	for _, op := range []string{"VMOVUPS", "VMOVAPS", "VMOVDQU", "VMOVDQA", "VMOVDQU32", "VMOVDQA32"} {
		t[op] = func(m *machine, in *Instr) { m.put(in, m.src(in, 0, widthOf(in), 4), 4) }
	}
	t["VMOVDQU8"] = func(m *machine, in *Instr) { m.put(in, m.src(in, 0, widthOf(in), 1), 1) }
	return t
}

// maskMove is a load or store of the four-byte elements whose sign bit is set in the mask.
func maskMove(m *machine, in *Instr) {
	w := widthOf(in)
	mask := m.src(in, 1, w, 4)
	from, isLoad := in.Args[0].(Mem)
	if isLoad {
		res := make([]byte, w)
		for j := 0; j < w; j += 4 {
			if mask[j+3]&0x80 != 0 {
				copy(res[j:j+4], m.at(m.addr(from)+uint64(j), 4, false))
			}
		}
		m.put(in, res, 4)
		return
	}
	res, to := m.src(in, 0, w, 4), in.Args[2].(Mem)
	for j := 0; j < w; j += 4 {
		if mask[j+3]&0x80 != 0 {
			copy(m.at(m.addr(to)+uint64(j), 4, true), res[j:j+4])
		}
	}
}

func broadcast(n int) step {
	return func(m *machine, in *Instr) {
		var b [8]byte
		if r, ok := in.Args[0].(Reg); ok && r.Kind == KindGP {
			for i := range b {
				b[i] = byte(m.gp[r.N] >> (8 * i))
			}
		} else {
			copy(b[:], m.src(&Instr{Args: in.Args}, 0, n, n))
		}
		w := in.Args[1].(Reg).width()
		res := make([]byte, 0, w)
		for len(res) < w {
			res = append(res, b[:n]...)
		}
		m.put(in, res, n)
	}
}

func scalarMove(m *machine, in *Instr, n int) {
	if _, ok := in.Args[0].(Mem); ok {
		m.put(in, append(m.src(in, 0, n, n), make([]byte, 16-n)...), 16)
		return
	}
	m.put(in, m.src(in, 0, n, n), n)
}
