package main

// neonPixels is pixelsTile for arm64: elements of the input are read one by one.
func neonPixels(mr, nv int) *Kernel {
	t := newNEONTile("pixelsF32", NEON, pixelsArgs, mr, nv)
	t.begin()
	t.start(mr, nv)
	a := t.rows(mr, "A", "LDA", "OffA")
	b, off, n, x := t.at("B", "OffB"), t.Load("Offset"), t.Load("K"), t.GP("offset")
	as, bs := t.vectors(mr, "a"), t.vectors(2, "b")
	t.loop(n, 2, func(steps int) {
		for u := range steps {
			t.Op("MOVD", At(off, 8*u), x)
			for r := range a {
				t.Op("LDR.S", At(a[r], 0).Idx(x, 1), as[r])
			}
			for v := 0; v < nv; v += 2 {
				to := bs[:min(2, nv-v)]
				t.loadFloats(b, v, to)
				for i := range to {
					for r := range as {
						t.Op(t.op, as[r].Lane(0), to[i], t.acc[r][v+i])
					}
				}
			}
			t.Op("ADD", Imm(4*t.N), b)
		}
		t.Op("ADD", Imm(8*steps), off)
	})
	t.Free(append(append(as, bs...), a...)...)
	t.Free(b, off, n, x)
	t.finish(false)
	return t.Kernel
}
