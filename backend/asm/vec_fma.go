package asm

import "math"

// FMA32 is the float32 fused multiply-add: a*b+c rounded once.
func FMA32(a, b, c float32) float32 {
	p := float64(a) * float64(b) // exact: 48 bits
	s := p + float64(c)
	// Rounding s again is the single rounding unless s is a tie of the second rounding; for results below the
	// smallest normal float32 the bits of a tie lie elsewhere.
	u := math.Float64bits(s)
	if u&0x1fffffff != 0x10000000 && u&(1<<63-1) >= 0x3810000000000000 {
		return float32(s)
	}
	return fma32Odd(p, c, s)
}

// fma32Odd rounds p+c, whose nearest float64 is s, to odd before it rounds to float32.
func fma32Odd(p float64, c float32, s float64) float32 {
	t := s - p
	e := (p - (s - t)) + (float64(c) - t) // exact: s+e is p+c
	u := math.Float64bits(s)
	if e != 0 && u&1 == 0 && !math.IsInf(s, 0) && !math.IsNaN(s) {
		if (e > 0) == (s > 0) {
			u++
		} else {
			u--
		}
	}
	return float32(math.Float64frombits(u))
}
