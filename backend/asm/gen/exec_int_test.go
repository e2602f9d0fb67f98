package main

import (
	"encoding/binary"
)

func u32(b []byte, i int) uint32       { return binary.LittleEndian.Uint32(b[4*i:]) }
func putU32(b []byte, i int, x uint32) { binary.LittleEndian.PutUint32(b[4*i:], x) }
func i16(b []byte, i int) int32        { return int32(int16(binary.LittleEndian.Uint16(b[2*i:]))) }
func putI16(b []byte, i int, x int32)  { binary.LittleEndian.PutUint16(b[2*i:], uint16(x)) }

// binI is dst = f(first source, second source) of each 32-bit element, binW of each 16-bit one, binB of each byte.
func binI(f func(a, b uint32) uint32) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		b, a := m.src(in, 0, w, 4), m.src(in, 1, w, 4)
		for i := range w / 4 {
			putU32(a, i, f(u32(a, i), u32(b, i)))
		}
		m.put(in, a, 4)
	}
}

func binW(f func(a, b int32) int32) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		b, a := m.src(in, 0, w, 2), m.src(in, 1, w, 2)
		for i := range w / 2 {
			putI16(a, i, f(i16(a, i), i16(b, i)))
		}
		m.put(in, a, 2)
	}
}

func binB(f func(a, b byte) byte) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		b, a := m.src(in, 0, w, 1), m.src(in, 1, w, 1)
		for i := range a {
			a[i] = f(a[i], b[i])
		}
		m.put(in, a, 1)
	}
}

// shift moves each element of size es by a constant or by the low 64 bits of the first operand.
func shift(es int, f func(x uint32, n uint64) uint32) step {
	return func(m *machine, in *Instr) {
		n, ok := in.Args[0].(Imm)
		if !ok {
			n = Imm(binary.LittleEndian.Uint64(m.src(&Instr{Args: in.Args}, 0, 16, 8)))
		}
		w := widthOf(in)
		a := m.src(in, 1, w, es)
		for i := range w / es {
			if es == 4 {
				putU32(a, i, f(u32(a, i), uint64(n)))
			} else {
				putI16(a, i, int32(f(uint32(uint16(i16(a, i))), uint64(n))))
			}
		}
		m.put(in, a, es)
	}
}

func clamp(x, lo, hi int32) int32 { return max(lo, min(hi, x)) }

// pack narrows both sources within each 16 bytes: n elements of the first, then n of the second.
func pack(from int, get func(b []byte, i int) int32, lo, hi int32) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		b, a := m.src(in, 0, w, from), m.src(in, 1, w, from)
		res := make([]byte, 0, w)
		for lane := 0; lane < w; lane += 16 {
			for _, s := range [][]byte{a, b} {
				for i := range 16 / from {
					v := clamp(get(s[lane:], i), lo, hi)
					res = append(res, byte(v))
					if from == 4 {
						res = append(res, byte(v>>8))
					}
				}
			}
		}
		m.put(in, res, from/2)
	}
}

// widen extends elements of size from to size to.
func widen(from, to int, signed bool) step {
	return func(m *machine, in *Instr) {
		w := in.Args[1].(Reg).width()
		a, res := m.src(in, 0, w*from/to, from), make([]byte, w)
		for i := range w / to {
			copy(res[i*to:], a[i*from:(i+1)*from])
			if signed && a[(i+1)*from-1]&0x80 != 0 {
				for j := i*to + from; j < (i+1)*to; j++ {
					res[j] = 0xff
				}
			}
		}
		m.put(in, res, to)
	}
}

// dot adds products of the elements in each 32 bits: dst += sum f(first source, second source).
func dot(f func(a, b uint32) uint32) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		b, a, d := m.src(in, 0, w, 4), m.src(in, 1, w, 4), m.src(in, 2, w, 4)
		for i := range w / 4 {
			putU32(d, i, u32(d, i)+f(u32(a, i), u32(b, i)))
		}
		m.put(in, d, 4)
	}
}

func dotW(a, b uint32) uint32 {
	return uint32(int32(int16(a))*int32(int16(b))) + uint32(int32(int16(a>>16))*int32(int16(b>>16)))
}

func dotUS(a, b uint32) (s uint32) {
	for i := 0; i < 32; i += 8 {
		s += uint32(int32(byte(a>>i)) * int32(int8(b>>i)))
	}
	return s
}

func narrowD(sat bool) step {
	return func(m *machine, in *Instr) {
		w := in.Args[0].(Reg).width()
		a := m.src(&Instr{Args: in.Args}, 0, w, 4)
		res := make([]byte, w/4)
		for i := range res {
			v := u32(a, i)
			if sat {
				v = min(v, 255)
			}
			res[i] = byte(v)
		}
		if r, ok := in.Args[1].(Reg); ok && r.Kind == KindX && len(res) < 16 && in.Mask.Kind == KindNone {
			res = append(res, make([]byte, 16-len(res))...)
		}
		m.put(in, res, 1)
	}
}

func execInt() map[string]step {
	t := map[string]step{
		"VPADDD":  binI(func(a, b uint32) uint32 { return a + b }),
		"VPSUBD":  binI(func(a, b uint32) uint32 { return a - b }),
		"VPMULLD": binI(func(a, b uint32) uint32 { return a * b }),
		"VPMAXSD": binI(func(a, b uint32) uint32 { return uint32(max(int32(a), int32(b))) }),
		"VPMINSD": binI(func(a, b uint32) uint32 { return uint32(min(int32(a), int32(b))) }),
		"VPADDW":  binW(func(a, b int32) int32 { return a + b }),
		"VPADDB":  binB(func(a, b byte) byte { return a + b }),
		"VPMAXUB": binB(func(a, b byte) byte { return max(a, b) }),
		"VPMINUB": binB(func(a, b byte) byte { return min(a, b) }),
		"VPCMPEQW": binW(func(a, b int32) int32 {
			if a == b {
				return -1
			}
			return 0
		}),
		"VPADDQ": func(m *machine, in *Instr) {
			w := widthOf(in)
			b, a := m.src(in, 0, w, 8), m.src(in, 1, w, 8)
			for i := 0; i < w; i += 8 {
				binary.LittleEndian.PutUint64(a[i:], binary.LittleEndian.Uint64(a[i:])+binary.LittleEndian.Uint64(b[i:]))
			}
			m.put(in, a, 8)
		},
		"VPSLLD": shift(4, func(x uint32, n uint64) uint32 { return x << n }),
		"VPSRLD": shift(4, func(x uint32, n uint64) uint32 { return x >> n }),
		"VPSRAD": shift(4, func(x uint32, n uint64) uint32 { return uint32(int32(x) >> n) }),
		"VPSLLW": shift(2, func(x uint32, n uint64) uint32 { return x << n }),
		"VPSRLW": shift(2, func(x uint32, n uint64) uint32 { return x >> n }),
		"VPSADBW": func(m *machine, in *Instr) {
			w := widthOf(in)
			b, a := m.src(in, 0, w, 1), m.src(in, 1, w, 1)
			res := make([]byte, w)
			for i := range a {
				d := int(a[i]) - int(b[i])
				o := i &^ 7
				binary.LittleEndian.PutUint16(res[o:], binary.LittleEndian.Uint16(res[o:])+uint16(max(d, -d)))
			}
			m.put(in, res, 8)
		},
		"VPACKSSDW": pack(4, func(b []byte, i int) int32 { return int32(u32(b, i)) }, -1<<15, 1<<15-1),
		"VPACKUSDW": pack(4, func(b []byte, i int) int32 { return int32(u32(b, i)) }, 0, 1<<16-1),
		"VPACKSSWB": pack(2, i16, -128, 127),
		"VPACKUSWB": pack(2, i16, 0, 255),
		"VPMOVUSDB": narrowD(true), "VPMOVDB": narrowD(false),
		"VPMOVSXBW": widen(1, 2, true), "VPMOVZXBW": widen(1, 2, false), "VPMOVSXBD": widen(1, 4, true), "VPMOVZXBD": widen(1, 4, false),
		"VPMOVSXWD": widen(2, 4, true), "VPMOVZXWD": widen(2, 4, false),
		"VPMADDWD": binI(dotW),
		"VPMADDUBSW": binI(func(a, b uint32) (r uint32) {
			for i := 0; i < 32; i += 16 {
				s := int32(byte(a>>i))*int32(int8(b>>i)) + int32(byte(a>>(i+8)))*int32(int8(b>>(i+8)))
				r |= uint32(uint16(clamp(s, -1<<15, 1<<15-1))) << i
			}
			return r
		}),
		"VPDPBUSD": dot(dotUS), "VPDPWSSD": dot(dotW),
		"VPCMPEQD": func(m *machine, in *Instr) {
			w := widthOf(in)
			b, a := m.src(in, 0, w, 4), m.src(in, 1, w, 4)
			m.putCompare(in, w, func(i int) bool { return u32(a, i) == u32(b, i) })
		},
		"VPCMPGTD": func(m *machine, in *Instr) {
			w := widthOf(in)
			b, a := m.src(in, 0, w, 4), m.src(in, 1, w, 4)
			m.putCompare(in, w, func(i int) bool { return int32(u32(a, i)) > int32(u32(b, i)) })
		},
		"VMOVMSKPS": func(m *machine, in *Instr) {
			w := in.Args[0].(Reg).width()
			a, r := m.src(in, 0, w, 4), uint64(0)
			for i := range w / 4 {
				r |= uint64(u32(a, i)>>31) << i
			}
			m.setVal(in, 1, 8, r)
		},
		"VPTERNLOGD": func(m *machine, in *Instr) {
			w := widthOf(in)
			table := uint64(in.Args[0].(Imm))
			c, b, a := m.src(in, 1, w, 4), m.src(in, 2, w, 4), m.src(in, 3, w, 4)
			for i := range a {
				var r byte
				for j := range 8 {
					idx := a[i]>>j&1<<2 | b[i]>>j&1<<1 | c[i]>>j&1
					r |= byte(table>>idx&1) << j
				}
				a[i] = r
			}
			m.put(in, a, 4)
		},
	}
	logic := map[string]func(a, b uint32) uint32{
		"AND": func(a, b uint32) uint32 { return a & b }, "ANDN": func(a, b uint32) uint32 { return ^a & b },
		"OR": func(a, b uint32) uint32 { return a | b }, "XOR": func(a, b uint32) uint32 { return a ^ b },
	}
	for name, f := range logic {
		for _, op := range []string{"VP" + name, "VP" + name + "D", "V" + name + "PS"} {
			t[op] = binI(f)
		}
	}
	return t
}
