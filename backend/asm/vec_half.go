package asm

import "math"

func halfToFloat(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = HalfToFloat(h)
	}
}

func floatToHalf(dst []uint16, src []float32) {
	for i, f := range src {
		dst[i] = FloatToHalf(f)
	}
}

// HalfToFloat widens float16 bits; a signalling NaN becomes quiet.
func HalfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	e, m := uint32(h>>10)&31, uint32(h&0x3ff)
	switch {
	case e == 31 && m != 0:
		return math.Float32frombits(sign | 0x7fc00000 | m<<13)
	case e == 31:
		return math.Float32frombits(sign | 0x7f800000)
	case e == 0:
		return math.Float32frombits(math.Float32bits(float32(m)*0x1p-24) | sign)
	}
	return math.Float32frombits(sign | (e+112)<<23 | m<<13)
}

// FloatToHalf rounds to nearest even.
func FloatToHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign, b := uint16(b>>16)&0x8000, b&(1<<31-1)
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 | uint16(b>>13)&0x3ff
	case b >= 0x477ff000: // 65520 rounds to infinity
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14: subnormal, in units of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*0x1p24))
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-112<<23)>>13)
}
