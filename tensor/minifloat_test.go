package tensor

import (
	"math"
	"testing"
)

var minifloats = []DType{Float16, BFloat16, Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float4E2M1, Float8E8M0}

// Every value of every format survives, and what lies between two neighbours goes to the nearer one.
func TestMinifloatRoundTrip(t *testing.T) {
	for _, d := range minifloats {
		for bits := range 1 << d.Bits() {
			v := DecodeFloat(d, uint16(bits))
			got := EncodeFloat(d, v, false)
			if back := DecodeFloat(d, got); math.Float32bits(back) != math.Float32bits(v) && !(back != back && v != v) {
				t.Errorf("%v %#x: %v comes back as %#x, %v", d, bits, v, got, back)
			}
			next := DecodeFloat(d, uint16(bits+1)&(1<<d.Bits()-1))
			if d == Float8E8M0 || next != next || v != v || math.IsInf(float64(next), 0) || math.Abs(float64(next)) < math.Abs(float64(v)) {
				continue
			}
			mid := (float64(v) + float64(next)) / 2
			for _, c := range []struct {
				x    float64
				want float32
			}{{mid, evenOf(bits, v, next)}, {mid*0.75 + float64(v)*0.25, v}, {mid*0.75 + float64(next)*0.25, next}} {
				if g := DecodeFloat(d, EncodeFloat(d, float32(c.x), true)); g != c.want && float64(float32(c.x)) == c.x {
					t.Errorf("%v: %v became %v, want %v", d, c.x, g, c.want)
				}
			}
		}
	}
}

func evenOf(bits int, v, next float32) float32 {
	if bits&1 == 0 {
		return v
	}
	return next
}

func TestF16AgreesWithTable(t *testing.T) {
	for bits := range 1 << 16 {
		v, w := F16(bits).Float32(), DecodeFloat(Float16, uint16(bits))
		if v != w && (v == v || w == w) {
			t.Fatalf("%#x: %v, want %v", bits, v, w)
		}
		b, c := BF16(bits).Float32(), DecodeFloat(BFloat16, uint16(bits))
		if b != c && (b == b || c == c) {
			t.Fatalf("bfloat16 %#x: %v, want %v", bits, b, c)
		}
	}
	for i := uint32(0); i < 1<<20; i++ {
		x := math.Float32frombits(i * 4099)
		if x != x {
			continue
		}
		if g, w := ToF16(x), F16(EncodeFloat(Float16, x, false)); g != w {
			t.Fatalf("float16 of %v: %#x, want %#x", x, g, w)
		}
		if g, w := ToBF16(x), BF16(EncodeFloat(BFloat16, x, false)); g != w {
			t.Fatalf("bfloat16 of %v: %#x, want %#x", x, g, w)
		}
	}
}

func TestMinifloatLimits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		d        DType
		x        float32
		saturate bool
		want     uint16
	}{
		{Float8E4M3FN, 1000, true, 0x7e}, {Float8E4M3FN, 1000, false, 0x7f}, {Float8E4M3FN, -inf, false, 0xff}, {Float8E4M3FN, -inf, true, 0xfe},
		{Float8E4M3FN, 450, false, 0x7e}, {Float8E4M3FNUZ, float32(math.Copysign(0, -1)), true, 0}, {Float8E4M3FNUZ, nan, true, 0x80}, {Float8E4M3FNUZ, 1e9, false, 0x80},
		{Float8E5M2, 1e9, false, 0x7c}, {Float8E5M2, inf, true, 0x7b}, {Float4E2M1, 100, false, 7}, {Float4E2M1, -2.5, false, 0xc},
		{Float8E8M0, 0, true, 0}, {Float8E8M0, 0, false, 0xff}, {Float8E8M0, inf, true, 254}, {Float8E8M0, 3, true, 129}, {Float8E8M0, 2.9, true, 128},
	} {
		if got := EncodeFloat(c.d, c.x, c.saturate); got != c.want {
			t.Errorf("%v of %v, saturate %v: %#x, want %#x", c.d, c.x, c.saturate, got, c.want)
		}
	}
	if got := EncodeE8M0(2.1, RoundUp, true); got != 129 {
		t.Errorf("up: %d", got)
	}
	if got := EncodeE8M0(3.9, RoundDown, true); got != 128 {
		t.Errorf("down: %d", got)
	}
}
