package tensor

import (
	"math"

	"github.com/x448/float16"
)

// F16Of rounds to the nearest float16, ties to even.
func F16Of(x float32) F16 { return F16(float16.Fromfloat32(x)) }

// Float32 is the exact value of h.
func (h F16) Float32() float32 { return float16.Frombits(uint16(h)).Float32() }

// BF16Of rounds to the nearest bfloat16, ties to even; a NaN stays a quiet NaN.
func BF16Of(x float32) BF16 {
	b := math.Float32bits(x)
	if x != x {
		return BF16(b>>16 | 0x40)
	}
	return BF16((b + 0x7fff + b>>16&1) >> 16)
}

// Float32 is the exact value of h.
func (h BF16) Float32() float32 { return math.Float32frombits(uint32(h) << 16) }
