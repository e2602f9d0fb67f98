package main

// neonOps is every vector instruction of arm64 that kernels may use, each as the GNU assembler writes it and its machine code
// with all fields 0. Operands of Kernel.Op are those of the text from right to left, as in Go: sources first, destination
// last. d, n and m are the fields of vector registers (b: n and m both), w and x before them general registers, s a
// scalar; [i] is a Lane; #u8 an 8-bit constant, #l and #r shifts to the left and right, #i an index of bytes. Several forms
// of one mnemonic differ in operands. Go's assembler knows few of them, so all are written as constants.
var neonOps = merged(neonFloat(), neonInt(), neonLong(), neonNarrow(), neonMove())

// neonForm is one form of an instruction.
type neonForm struct {
	text string
	word uint32
	feat Feature
}

func merged(tables ...map[string][]neonForm) map[string][]neonForm {
	all := map[string][]neonForm{}
	for _, t := range tables {
		for op, forms := range t {
			all[op] = append(all[op], forms...)
		}
	}
	return all
}

// Classes of instructions, by the bits that tell them apart: u is the operation's high bit, size of elements 0 to 3.
func neonThree(u, size, code uint32) uint32 { return 0x4e200400 | u<<29 | size<<22 | code<<11 }
func neonTwo(u, size, code uint32) uint32   { return 0x4e200800 | u<<29 | size<<22 | code<<12 }

func neonFloat() map[string][]neonForm {
	t := map[string][]neonForm{
		"FMLA.4S": {{"fmla d.4s, n.4s, m.4s", neonThree(0, 0, 25), 0}, {"fmla d.4s, n.4s, m.s[i]", 0x4f801000, 0}},
		"FMLS.4S": {{"fmls d.4s, n.4s, m.4s", neonThree(0, 2, 25), 0}, {"fmls d.4s, n.4s, m.s[i]", 0x4f805000, 0}},
		"FMUL.4S": {{"fmul d.4s, n.4s, m.4s", neonThree(1, 0, 27), 0}, {"fmul d.4s, n.4s, m.s[i]", 0x4f809000, 0}},
		"FADD.S":  {{"fadd sd, sn, sm", 0x1e202800, 0}}, "FSUB.S": {{"fsub sd, sn, sm", 0x1e203800, 0}},
		"FMUL.S": {{"fmul sd, sn, sm", 0x1e200800, 0}}, "FDIV.S": {{"fdiv sd, sn, sm", 0x1e201800, 0}},
		"FMAX.S": {{"fmax sd, sn, sm", 0x1e204800, 0}}, "FMIN.S": {{"fmin sd, sn, sm", 0x1e205800, 0}},
		"FSQRT.S":  {{"fsqrt sd, sn", 0x1e21c000, 0}},
		"FMAXV.4S": {{"fmaxv sd, n.4s", 0x6e30f800, 0}}, "FMINV.4S": {{"fminv sd, n.4s", 0x6eb0f800, 0}},
		"FMAXP.2S": {{"fmaxp sd, n.2s", 0x7e30f800, 0}}, "FMINP.2S": {{"fminp sd, n.2s", 0x7eb0f800, 0}}, "FADDP.2S": {{"faddp sd, n.2s", 0x7e30d800, 0}},
	}
	for op, c := range map[string][3]uint32{
		"fadd": {0, 0, 26}, "fsub": {0, 2, 26}, "fdiv": {1, 0, 31}, "fmax": {0, 0, 30}, "fmin": {0, 2, 30}, "fmaxnm": {0, 0, 24}, "fminnm": {0, 2, 24},
		"faddp": {1, 0, 26}, "fmaxp": {1, 0, 30}, "fminp": {1, 2, 30}, "fcmeq": {0, 0, 28}, "fcmge": {1, 0, 28}, "fcmgt": {1, 2, 28},
		"facge": {1, 0, 29}, "facgt": {1, 2, 29},
	} {
		addForm(t, op, "4S", op+" d.4s, n.4s, m.4s", neonThree(c[0], c[1], c[2]))
	}
	for op, c := range map[string][3]uint32{
		"fsqrt": {1, 2, 31}, "fabs": {0, 2, 15}, "fneg": {1, 2, 15}, "frintn": {0, 0, 24}, "frintm": {0, 0, 25}, "frintp": {0, 2, 24}, "frintz": {0, 2, 25},
		"fcvtns": {0, 0, 26}, "fcvtnu": {1, 0, 26}, "fcvtzs": {0, 2, 27}, "fcvtzu": {1, 2, 27}, "scvtf": {0, 0, 29}, "ucvtf": {1, 0, 29},
	} {
		addForm(t, op, "4S", op+" d.4s, n.4s", neonTwo(c[0], c[1], c[2]))
	}
	for op, c := range map[string][3]uint32{ // with zero
		"fcmgt": {0, 2, 12}, "fcmeq": {0, 2, 13}, "fcmlt": {0, 2, 14}, "fcmge": {1, 2, 12}, "fcmle": {1, 2, 13},
	} {
		addForm(t, op+"0", "4S", op+" d.4s, n.4s, #0.0", neonTwo(c[0], c[1], c[2]))
	}
	return t
}

func neonInt() map[string][]neonForm {
	t := map[string][]neonForm{
		"MLA.4S": {{"mla d.4s, n.4s, m.4s", neonThree(0, 2, 18), 0}, {"mla d.4s, n.4s, m.s[i]", 0x6f800000, 0}},
		"MLS.4S": {{"mls d.4s, n.4s, m.4s", neonThree(1, 2, 18), 0}, {"mls d.4s, n.4s, m.s[i]", 0x6f804000, 0}},
		"MUL.4S": {{"mul d.4s, n.4s, m.4s", neonThree(0, 2, 19), 0}, {"mul d.4s, n.4s, m.s[i]", 0x4f808000, 0}},
	}
	for i, n := range []string{"16B", "8H", "4S", "2D"} {
		size, a := uint32(i), lower(n)
		for op, c := range map[string][2]uint32{
			"add": {0, 16}, "sub": {1, 16}, "addp": {0, 23}, "smax": {0, 12}, "smin": {0, 13}, "umax": {1, 12}, "umin": {1, 13},
			"cmeq": {1, 17}, "cmgt": {0, 6}, "cmge": {0, 7}, "cmhi": {1, 6}, "cmhs": {1, 7}, "sshl": {0, 8}, "ushl": {1, 8},
		} {
			if n == "2D" && (c[1] == 12 || c[1] == 13) {
				continue // not of 64 bits
			}
			addForm(t, op, n, op+" d."+a+", n."+a+", m."+a, neonThree(c[0], size, c[1]))
		}
		for op, c := range map[string]uint32{"shl": 0x4f005400, "sli": 0x6f005400} {
			addForm(t, op, n, op+" d."+a+", n."+a+", #l"+elem(n), c)
		}
		for op, c := range map[string]uint32{"sshr": 0x4f000400, "ushr": 0x6f000400, "ssra": 0x4f001400, "usra": 0x6f001400, "sri": 0x6f004400} {
			addForm(t, op, n, op+" d."+a+", n."+a+", #r"+elem(n), c)
		}
		for op, c := range map[string][2]uint32{"abs": {0, 11}, "neg": {1, 11}} {
			addForm(t, op, n, op+" d."+a+", n."+a, neonTwo(c[0], size, c[1]))
		}
	}
	for op, c := range map[string][2]uint32{
		"and": {0, 0}, "bic": {0, 1}, "orr": {0, 2}, "orn": {0, 3}, "eor": {1, 0}, "bsl": {1, 1}, "bit": {1, 2}, "bif": {1, 3},
	} {
		addForm(t, op, "16B", op+" d.16b, n.16b, m.16b", neonThree(c[0], c[1], 3))
	}
	addForm(t, "mvn", "16B", "mvn d.16b, n.16b", neonTwo(1, 0, 5))
	for op, c := range map[string]uint32{"addv": 0x4eb1b800, "smaxv": 0x4eb0a800, "sminv": 0x4eb1a800, "umaxv": 0x6eb0a800, "uminv": 0x6eb1a800} {
		addForm(t, op, "4S", op+" sd, n.4s", c)
	}
	addForm(t, "uaddlv", "16B", "uaddlv hd, n.16b", 0x6e303800)
	return t
}

// neonLong are instructions with results wider than sources, and dot products.
func neonLong() map[string][]neonForm {
	t := map[string][]neonForm{}
	for size, n := range []string{"8H", "4S", "2D"} {
		from := []string{"8b", "4h", "2s"}[size]
		full := []string{"16b", "8h", "4s"}[size]
		a := lower(n)
		for op, c := range map[string][2]uint32{"smull": {0, 12}, "umull": {1, 12}, "smlal": {0, 8}, "umlal": {1, 8}, "saddl": {0, 0}, "uaddl": {1, 0}} {
			w := 0x0e200000 | c[0]<<29 | uint32(size)<<22 | c[1]<<12
			addForm(t, op, n, op+" d."+a+", n."+from+", m."+from, w)
			addForm(t, op+"2", n, op+"2 d."+a+", n."+full+", m."+full, w|1<<30)
		}
		for op, c := range map[string][2]uint32{"saddw": {0, 1}, "uaddw": {1, 1}} {
			w := 0x0e200000 | c[0]<<29 | uint32(size)<<22 | c[1]<<12
			addForm(t, op, n, op+" d."+a+", n."+a+", m."+from, w)
			addForm(t, op+"2", n, op+"2 d."+a+", n."+a+", m."+full, w|1<<30)
		}
		for op, c := range map[string][2]uint32{"saddlp": {0, 2}, "uaddlp": {1, 2}, "sadalp": {0, 6}, "uadalp": {1, 6}} {
			addForm(t, op, n, op+" d."+a+", n."+full, neonTwo(c[0], uint32(size), c[1]))
		}
		for op, c := range map[string]uint32{"sxtl": 0x0f00a400, "uxtl": 0x2f00a400} {
			w := c | 8<<size<<16
			addForm(t, op, n, op+" d."+a+", n."+from, w)
			addForm(t, op+"2", n, op+"2 d."+a+", n."+full, w|1<<30)
		}
	}
	for op, c := range map[string]uint32{"smlal": 0x0f402000, "smull": 0x0f40a000} {
		addForm(t, op, "4S", op+" d.4s, n.4h, m.h[i]", c)
		addForm(t, op+"2", "4S", op+"2 d.4s, n.8h, m.h[i]", c|1<<30)
	}
	for op, f := range map[string]neonForm{
		"sdot": {"", 0x4e809400, FeatNEONDot}, "udot": {"", 0x6e809400, FeatNEONDot}, "usdot": {"", 0x4e809c00, FeatNEONI8MM},
		"smmla": {"", 0x4e80a400, FeatNEONI8MM}, "ummla": {"", 0x6e80a400, FeatNEONI8MM}, "usmmla": {"", 0x4e80ac00, FeatNEONI8MM},
	} {
		f.text = op + " d.4s, n.16b, m.16b"
		t[upper(op)+".4S"] = append(t[upper(op)+".4S"], f)
	}
	for op, f := range map[string]neonForm{
		"sdot": {"", 0x4f80e000, FeatNEONDot}, "udot": {"", 0x6f80e000, FeatNEONDot}, "usdot": {"", 0x4f80f000, FeatNEONI8MM}, "sudot": {"", 0x4f00f000, FeatNEONI8MM},
	} {
		f.text = op + " d.4s, n.16b, m.4b[i]"
		t[upper(op)+".4S"] = append(t[upper(op)+".4S"], f)
	}
	addForm(t, "fcvtl", "4S", "fcvtl d.4s, n.4h", 0x0e217800)
	addForm(t, "fcvtl2", "4S", "fcvtl2 d.4s, n.8h", 0x4e217800)
	return t
}

// neonNarrow are instructions with results narrower than sources; those named with 2 write the upper half.
func neonNarrow() map[string][]neonForm {
	t := map[string][]neonForm{}
	for size, n := range []string{"8B", "4H", "2S"} {
		from := []string{"8h", "4s", "2d"}[size]
		full := []string{"16b", "8h", "4s"}[size]
		for op, c := range map[string][2]uint32{"xtn": {0, 18}, "sqxtn": {0, 20}, "sqxtun": {1, 18}, "uqxtn": {1, 20}} {
			w := neonTwo(c[0], uint32(size), c[1]) &^ (1 << 30)
			addForm(t, op, n, op+" d."+lower(n)+", n."+from, w)
			addForm(t, op+"2", upper(full), op+"2 d."+full+", n."+from, w|1<<30)
		}
	}
	addForm(t, "fcvtn", "4H", "fcvtn d.4h, n.4s", 0x0e216800)
	addForm(t, "fcvtn2", "8H", "fcvtn2 d.8h, n.4s", 0x4e216800)
	return t
}

func neonMove() map[string][]neonForm {
	t := map[string][]neonForm{
		"MOV.16B":  {{"mov d.16b, b.16b", 0x4ea01c00, 0}},
		"MOVI.16B": {{"movi d.16b, #u8", 0x4f00e400, 0}}, "MOVI.8H": {{"movi d.8h, #u8", 0x4f008400, 0}},
		"MOVI.4S": {{"movi d.4s, #u8", 0x4f000400, 0}}, "MVNI.4S": {{"mvni d.4s, #u8", 0x6f000400, 0}},
		"MOVI.4S.LSL8": {{"movi d.4s, #u8, lsl #8", 0x4f002400, 0}}, "MOVI.4S.LSL16": {{"movi d.4s, #u8, lsl #16", 0x4f004400, 0}},
		"MOVI.4S.LSL24": {{"movi d.4s, #u8, lsl #24", 0x4f006400, 0}}, "MVNI.4S.LSL24": {{"mvni d.4s, #u8, lsl #24", 0x6f006400, 0}},
		"EXT.16B": {{"ext d.16b, n.16b, m.16b, #i", 0x6e000000, 0}},
		"TBL.16B": {{"tbl d.16b, {n.16b}, m.16b", 0x4e000000, 0}}, "TBX.16B": {{"tbx d.16b, {n.16b}, m.16b", 0x4e001000, 0}},
		"FMOV.S":  {{"fmov sd, wn", 0x1e270000, 0}, {"fmov wd, sn", 0x1e260000, 0}, {"fmov sd, sn", 0x1e204000, 0}},
		"FMOV.D":  {{"fmov dd, xn", 0x9e670000, 0}, {"fmov xd, dn", 0x9e660000, 0}},
		"DUP.16B": {{"dup d.16b, wn", 0x4e010c00, 0}, {"dup d.16b, n.b[i]", 0x4e000400, 0}},
		"DUP.8H":  {{"dup d.8h, wn", 0x4e020c00, 0}, {"dup d.8h, n.h[i]", 0x4e000400, 0}},
		"DUP.4S":  {{"dup d.4s, wn", 0x4e040c00, 0}, {"dup d.4s, n.s[i]", 0x4e000400, 0}},
		"DUP.2D":  {{"dup d.2d, xn", 0x4e080c00, 0}, {"dup d.2d, n.d[i]", 0x4e000400, 0}},
		"MOV.B":   {{"umov wd, n.b[i]", 0x0e003c00, 0}, {"mov d.b[i], wn", 0x4e001c00, 0}},
		"MOV.H":   {{"umov wd, n.h[i]", 0x0e003c00, 0}, {"mov d.h[i], wn", 0x4e001c00, 0}},
		"MOV.S":   {{"mov wd, n.s[i]", 0x0e003c00, 0}, {"mov d.s[i], wn", 0x4e001c00, 0}, {"mov d.s[i], n.s[j]", 0x6e000400, 0}},
		"MOV.D":   {{"mov xd, n.d[i]", 0x4e003c00, 0}, {"mov d.d[i], xn", 0x4e001c00, 0}, {"mov d.d[i], n.d[j]", 0x6e000400, 0}},
	}
	for size, n := range []string{"16B", "8H", "4S", "2D"} {
		a := lower(n)
		for op, c := range map[string]uint32{"uzp1": 1, "trn1": 2, "zip1": 3, "uzp2": 5, "trn2": 6, "zip2": 7} {
			addForm(t, op, n, op+" d."+a+", n."+a+", m."+a, 0x4e000800|uint32(size)<<22|c<<12)
		}
	}
	return t
}

// addForm adds a form of an instruction named by its mnemonic and the arrangement of its result.
func addForm(t map[string][]neonForm, op, arrangement, text string, word uint32) {
	name := upper(op) + "." + arrangement
	t[name] = append(t[name], neonForm{text, word, 0})
}
