package main

import (
	"encoding/binary"
	"math"
)

func f32(b []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}

func putF32(b []byte, i int, x float32) {
	binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(x))
}

// binF is dst = f(first source, second source) of each float32, in Intel's order: Go writes the second source first.
func binF(f func(a, b float32) float32) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		b, a := m.src(in, 0, w, 4), m.src(in, 1, w, 4)
		for i := range w / 4 {
			putF32(a, i, f(f32(a, i), f32(b, i)))
		}
		m.put(in, a, 4)
	}
}

// binSS is binF of the lowest element; the others up to 16 bytes are the first source's.
func binSS(f func(a, b float32) float32) step {
	return func(m *machine, in *Instr) {
		b, a := m.src(in, 0, 4, 4), m.src(in, 1, 16, 4)
		putF32(a, 0, f(f32(a, 0), f32(b, 0)))
		m.put(in, a, 4)
	}
}

// fma3 is dst = f(dst, first source, second source).
func fma3(f func(d, a, b float32) float32) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		b, a, d := m.src(in, 0, w, 4), m.src(in, 1, w, 4), m.src(in, 2, w, 4)
		for i := range w / 4 {
			putF32(d, i, f(f32(d, i), f32(a, i), f32(b, i)))
		}
		m.put(in, d, 4)
	}
}

// fma is a*b+c rounded once: the float64 sum, rounded to odd, has enough spare bits for the second rounding.
func fma(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	s := p + float64(c)
	if math.IsInf(s, 0) || math.IsNaN(s) || s == 0 {
		return float32(s)
	}
	t := s - p
	if e := (p - (s - t)) + (float64(c) - t); e != 0 && math.Float64bits(s)&1 == 0 {
		if (e > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) | 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

func unF(f func(x float32) float32) step {
	return func(m *machine, in *Instr) {
		w := widthOf(in)
		a := m.src(in, len(in.Args)-2, w, 4)
		for i := range w / 4 {
			putF32(a, i, f(f32(a, i)))
		}
		m.put(in, a, 4)
	}
}

func unI(f func(x uint32) uint32) step {
	return unF(func(x float32) float32 { return math.Float32frombits(f(math.Float32bits(x))) })
}

func maxF(a, b float32) float32 {
	if a > b {
		return a
	}
	return b
}

func minF(a, b float32) float32 {
	if a < b {
		return a
	}
	return b
}

func toInt(round func(float64) float64) step {
	return unI(func(x uint32) uint32 {
		v := round(float64(math.Float32frombits(x)))
		if !(v >= -1<<31 && v < 1<<31) {
			return 1 << 31
		}
		return uint32(int32(v))
	})
}

// roundBy rounds as the immediate of VROUNDPS and VRNDSCALEPS says.
func roundBy(m *machine, in *Instr) {
	mode := in.Args[0].(Imm)
	f := [4]func(float64) float64{math.RoundToEven, math.Floor, math.Ceil, math.Trunc}[mode&3]
	if mode&4 != 0 {
		f = math.RoundToEven
	}
	if mode>>4 != 0 {
		failf("scaled rounding")
	}
	unF(func(x float32) float32 { return float32(f(float64(x))) })(m, in)
}

// compare is predicate p (low four bits: quiet and signalling forms are alike here).
func compare(p Imm, a, b float32) bool {
	un := a != a || b != b
	switch p & 15 {
	case 0:
		return a == b
	case 1:
		return a < b
	case 2:
		return a <= b
	case 3:
		return un
	case 4:
		return a != b
	case 5:
		return !(a < b)
	case 6:
		return !(a <= b)
	case 7:
		return !un
	case 8:
		return a == b || un
	case 9:
		return !(a >= b)
	case 10:
		return !(a > b)
	case 11:
		return false
	case 12:
		return a != b && !un
	case 13:
		return a >= b
	case 14:
		return a > b
	}
	return true
}

func execFloat() map[string]step {
	fms := func(a, b, c float32) float32 { return fma(a, b, -c) }
	fnma := func(a, b, c float32) float32 { return fma(-a, b, c) }
	form231 := func(f func(a, b, c float32) float32) step {
		return fma3(func(d, a, b float32) float32 { return f(a, b, d) })
	}
	form213 := func(f func(a, b, c float32) float32) step {
		return fma3(func(d, a, b float32) float32 { return f(a, d, b) })
	}
	add := func(a, b float32) float32 { return a + b }
	mul := func(a, b float32) float32 { return a * b }
	return map[string]step{
		"VADDPS": binF(add), "VMULPS": binF(mul), "VMAXPS": binF(maxF), "VMINPS": binF(minF),
		"VSUBPS": binF(func(a, b float32) float32 { return a - b }),
		"VDIVPS": binF(func(a, b float32) float32 { return a / b }),
		"VADDSS": binSS(add), "VMULSS": binSS(mul), "VMAXSS": binSS(maxF), "VMINSS": binSS(minF),
		"VSCALEFPS": binF(func(a, b float32) float32 {
			return float32(math.Ldexp(float64(a), int(max(-2000, min(2000, math.Floor(float64(b)))))))
		}),
		"VSQRTPS":     unF(func(x float32) float32 { return float32(math.Sqrt(float64(x))) }),
		"VFMADD231PS": form231(fma), "VFMADD213PS": form213(fma), "VFMSUB231PS": form231(fms), "VFMSUB213PS": form213(fms),
		"VFNMADD231PS": form231(fnma), "VFNMADD213PS": form213(fnma),
		"VROUNDPS": roundBy, "VRNDSCALEPS": roundBy,
		"VCVTDQ2PS":  unI(func(x uint32) uint32 { return math.Float32bits(float32(int32(x))) }),
		"VCVTPS2DQ":  toInt(math.RoundToEven),
		"VCVTTPS2DQ": toInt(math.Trunc),
		"VCMPPS": func(m *machine, in *Instr) {
			w := widthOf(in)
			p, b, a := in.Args[0].(Imm), m.src(in, 1, w, 4), m.src(in, 2, w, 4)
			m.putCompare(in, w, func(i int) bool { return compare(p, f32(a, i), f32(b, i)) })
		},
		"VBLENDVPS": func(m *machine, in *Instr) {
			w := widthOf(in)
			sel, b, a := m.src(in, 0, w, 4), m.src(in, 1, w, 4), m.src(in, 2, w, 4)
			for j := 0; j < w; j += 4 {
				if sel[j+3]&0x80 != 0 {
					copy(a[j:j+4], b[j:])
				}
			}
			m.put(in, a, 4)
		},
		"VBLENDMPS": func(m *machine, in *Instr) {
			w := widthOf(in)
			b, a := m.src(in, 0, w, 4), m.src(in, 1, w, 4)
			for i := range w / 4 {
				switch {
				case m.k[in.Mask.N]>>i&1 != 0:
					copy(a[4*i:4*i+4], b[4*i:])
				case in.Zero:
					clear(a[4*i : 4*i+4])
				}
			}
			m.put(&Instr{Args: in.Args}, a, 4)
		},
		"VCVTPH2PS": func(m *machine, in *Instr) {
			w := in.Args[1].(Reg).width()
			h := m.src(in, 0, w/2, 2)
			res := make([]byte, w)
			for i := range w / 4 {
				putF32(res, i, halfToFloat(binary.LittleEndian.Uint16(h[2*i:])))
			}
			m.put(in, res, 4)
		},
		"VCVTPS2PH": func(m *machine, in *Instr) {
			if rc := in.Args[0].(Imm); rc != 0 && rc != 4 {
				failf("rounding mode %d", rc)
			}
			w := in.Args[1].(Reg).width()
			a, res := m.src(in, 1, w, 4), make([]byte, w/2)
			for i := range w / 4 {
				binary.LittleEndian.PutUint16(res[2*i:], floatToHalf(f32(a, i)))
			}
			m.put(in, res, 2)
		},
	}
}

// putCompare writes a comparison to a mask register, or as all ones and zeros to a vector register.
func (m *machine) putCompare(in *Instr, w int, bit func(i int) bool) {
	if in.Args[len(in.Args)-1].(Reg).Kind == KindMask {
		m.putMask(in, w/4, bit)
		return
	}
	res := make([]byte, w)
	for i := range w / 4 {
		if bit(i) {
			binary.LittleEndian.PutUint32(res[4*i:], ^uint32(0))
		}
	}
	m.put(in, res, 4)
}

func halfToFloat(h uint16) float32 {
	sign, e, f := uint32(h>>15)<<31, int(h>>10&31), uint32(h&0x3ff)
	switch e {
	case 31:
		if f != 0 {
			f |= 0x200 // quiet
		}
		return math.Float32frombits(sign | 0xff<<23 | f<<13)
	case 0:
		v := float32(f) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | uint32(e+112)<<23 | f<<13)
}

func floatToHalf(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b >> 16 & 0x8000)
	a := math.Float64frombits(math.Float64bits(float64(x)) &^ (1 << 63))
	switch {
	case x != x:
		return sign | 0x7e00 | uint16(b>>13&0x3ff)
	case a >= 65520:
		return sign | 0x7c00
	case a < 1.0/(1<<14):
		return sign | uint16(math.RoundToEven(a*(1<<24)))
	}
	frac, exp := math.Frexp(a)
	m := math.RoundToEven(frac * (1 << 11)) // 1024..2048
	return sign | uint16((exp+13)<<10+int(m))
}
