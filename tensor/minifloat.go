package tensor

import "math"

// minifloat describes a float format of at most 16 bits: sign, exponent and mantissa, most significant first.
type minifloat struct {
	exp, man int
	bias     int
	inf      bool   // the largest exponent is for infinities and NaNs, as in IEEE 754
	nan      uint16 // what a NaN becomes: negative zero where the format has none
	hasNaN   bool
	max      float64 // largest finite value
	fnuz     bool    // no negative zero, whose bits are the NaN
}

func minifloatOf(d DType) minifloat {
	switch d {
	case Float16:
		return minifloat{exp: 5, man: 10, bias: 15, inf: true, nan: 0x7e00, hasNaN: true, max: 65504}
	case BFloat16:
		return minifloat{exp: 8, man: 7, bias: 127, inf: true, nan: 0x7fc0, hasNaN: true, max: 0x1.fep127}
	case Float8E4M3FN:
		return minifloat{exp: 4, man: 3, bias: 7, nan: 0x7f, hasNaN: true, max: 448}
	case Float8E4M3FNUZ:
		return minifloat{exp: 4, man: 3, bias: 8, nan: 0x80, hasNaN: true, max: 240, fnuz: true}
	case Float8E5M2:
		return minifloat{exp: 5, man: 2, bias: 15, inf: true, nan: 0x7e, hasNaN: true, max: 57344}
	case Float8E5M2FNUZ:
		return minifloat{exp: 5, man: 2, bias: 16, nan: 0x80, hasNaN: true, max: 57344, fnuz: true}
	case Float4E2M1:
		return minifloat{exp: 2, man: 1, bias: 1, nan: 8, max: 6}
	}
	return minifloat{}
}

// DecodeFloat returns the value of the bits of a float format of at most 16 bits; 0 for another type. It is exact.
func DecodeFloat(d DType, bits uint16) float32 {
	if d == Float8E8M0 {
		if bits == 0xff {
			return float32(math.NaN())
		}
		return float32(math.Ldexp(1, int(bits)-127))
	}
	f := minifloatOf(d)
	if f.exp == 0 {
		return 0
	}
	e := int(bits>>f.man) & (1<<f.exp - 1)
	m := int(bits) & (1<<f.man - 1)
	sign := 1.0
	if bits>>(f.exp+f.man)&1 != 0 {
		sign = -1
	}
	switch {
	case f.inf && e == 1<<f.exp-1 && m == 0:
		return float32(math.Inf(int(sign)))
	case f.inf && e == 1<<f.exp-1, f.hasNaN && !f.inf && (bits == f.nan || !f.fnuz && bits&0x7f == f.nan):
		return float32(math.NaN())
	case e == 0:
		return float32(math.Copysign(math.Ldexp(float64(m), 1-f.bias-f.man), sign))
	}
	return float32(sign * math.Ldexp(float64(m|1<<f.man), e-f.bias-f.man))
}

// EncodeFloat rounds x to the nearest value (ties to even) of a float format of at most 16 bits and returns its bits.
// What lies beyond the largest finite value becomes that value with saturate or where the format has nothing else, else
// infinity or, in formats without infinities, NaN. For Float8E8M0 it is EncodeE8M0 to nearest.
func EncodeFloat(d DType, x float32, saturate bool) uint16 {
	if d == Float8E8M0 {
		return uint16(EncodeE8M0(x, RoundNearest, saturate))
	}
	f := minifloatOf(d)
	v := float64(x)
	var sign uint16
	if math.Signbit(v) {
		sign = 1 << (f.exp + f.man)
	}
	v = math.Abs(v)
	if math.IsNaN(v) {
		switch {
		case f.fnuz || !f.hasNaN:
			return f.nan
		}
		return f.nan | sign
	}
	_, e := math.Frexp(v)
	ulp := max(e-1, 1-f.bias) - f.man // exponent of the distance between neighbours
	if r := math.Ldexp(math.RoundToEven(math.Ldexp(v, -ulp)), ulp); !math.IsInf(v, 0) {
		v = r
	}
	if v > f.max {
		switch {
		case saturate || !f.hasNaN:
			v = f.max
		case f.inf:
			return sign | (1<<f.exp-1)<<f.man
		case f.fnuz:
			return f.nan
		default:
			return sign | f.nan
		}
	}
	if v == 0 {
		if f.fnuz {
			return 0
		}
		return sign
	}
	_, e = math.Frexp(v)
	e += f.bias - 1
	if e <= 0 {
		return sign | uint16(math.Ldexp(v, f.bias-1+f.man))
	}
	m := uint16(math.Ldexp(v, f.bias-e+f.man)) &^ (1 << f.man)
	return sign | uint16(e)<<f.man | m
}

// RoundMode says how EncodeE8M0 chooses between two powers of two.
type RoundMode uint8

// Rounding modes. RoundNearest takes the larger of two that are equally near.
const (
	RoundNearest RoundMode = iota
	RoundUp
	RoundDown
)

// EncodeE8M0 rounds x to a power of two, whose exponent plus 127 it returns. What is out of range, zero too, becomes
// the nearest end of the range with saturate, else NaN. Negative numbers become NaN.
func EncodeE8M0(x float32, mode RoundMode, saturate bool) uint8 {
	v := float64(x)
	if math.IsNaN(v) || v < 0 {
		return 0xff
	}
	fr, e := math.Frexp(v) // v is fr*2 times 2^(e-1)
	e += 126
	if fr > 0.5 && mode == RoundUp || fr >= 0.75 && mode == RoundNearest {
		e++
	}
	if v == 0 {
		e = -1
	}
	if math.IsInf(v, 0) {
		e = 255
	}
	switch {
	case e >= 0 && e <= 254:
		return uint8(e)
	case !saturate:
		return 0xff
	case e < 0:
		return 0
	}
	return 254
}

// Float32 is the value of h.
func (h F16) Float32() float32 {
	sign := uint32(h&0x8000) << 16
	e, m := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch e {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(m)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | m<<13)
	}
	return math.Float32frombits(sign | (e+112)<<23 | m<<13)
}

// ToF16 rounds x to the nearest binary16 number, ties to even.
func ToF16(x float32) F16 {
	b := math.Float32bits(x)
	sign, b := F16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00
	case b >= 0x477ff000: // rounds to more than the largest, 65504
		return sign | 0x7c00
	case b < 0x38800000: // subnormal: the sum's own rounding is the one wanted
		return sign | F16(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
	}
	b += 0xfff + b>>13&1
	return sign | F16((b-0x38000000)>>13)
}

// Float32 is the value of h.
func (h BF16) Float32() float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBF16 rounds x to the nearest bfloat16 number, ties to even.
func ToBF16(x float32) BF16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return BF16(b>>16) | 0x40
	}
	return BF16((b + 0x7fff + b>>16&1) >> 16)
}
