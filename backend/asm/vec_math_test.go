package asm

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestFMA32(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	exact := func(a, b, c float32) float32 {
		p := new(big.Float).SetPrec(2000).SetFloat64(float64(a) * float64(b))
		r, _ := p.Add(p, big.NewFloat(float64(c))).Float32()
		return r
	}
	value := func(lo, hi int) float32 {
		return math.Float32frombits(uint32(lo+rng.IntN(hi-lo))<<23 | rng.Uint32()&0x807fffff)
	}
	for i := range 300000 {
		var a, b, c float32
		switch i % 4 {
		case 0: // ordinary
			a, b, c = value(100, 154), value(100, 154), value(80, 180)
		case 1: // results among the subnormals
			a, b, c = value(40, 60), value(40, 88), value(0, 4)
		case 2: // sparse mantissas: many ties
			a, b, c = value(120, 130), value(120, 130), value(96, 150)
			a = math.Float32frombits(math.Float32bits(a) &^ 0xfff)
			b = math.Float32frombits(math.Float32bits(b) &^ 0xfff)
			c = math.Float32frombits(math.Float32bits(c) &^ 0x3fff)
		case 3: // near overflow
			a, b, c = value(186, 192), value(188, 192), value(250, 255)
		}
		if want, got := exact(a, b, c), FMA32(a, b, c); got != want {
			t.Fatalf("fma(%g, %g, %g) = %g, want %g", a, b, c, got, want)
		}
	}
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, v := range [][4]float32{
		{inf, 1, 1, inf}, {inf, 0, 1, nan}, {inf, 1, -inf, nan}, {nan, 1, 1, nan}, {1, 1, nan, nan}, {1, 1, inf, inf},
		{0x1p-100, 0x1p-100, 0, 0}, {0x1p-75, 0x1p-75, 0x1p-149, 0x1p-148}, {3, -2, 6, 0}, {0x1p127, 2, -0x1p127, 0x1p127},
	} {
		if got := FMA32(v[0], v[1], v[2]); got != v[3] && !(got != got && v[3] != v[3]) {
			t.Errorf("fma(%g, %g, %g) = %g, want %g", v[0], v[1], v[2], got, v[3])
		}
	}
}

// ulps is the error of got in units of the last place of the float32 nearest to want.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	if math.IsInf(float64(w), 0) || w != w {
		if got == w || got != got && w != w {
			return 0
		}
		return math.Inf(1)
	}
	_, e := math.Frexp(float64(w))
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

func TestAccuracy(t *testing.T) {
	inf := math.Inf(1)
	tests := []struct {
		name   string
		f      Unary
		exact  func(x float64) float64
		lo, hi float64 // range of magnitudes, both signs unless lo is the sign's limit
		ulp    float64
		abs    float64 // or this absolute error
	}{
		{"exp", UnaryExp, math.Exp, 1e-9, 89, 1, 0x1p-125},
		{"log", UnaryLog, math.Log, 1e-45, 3e38, 1.2, 0},
		{"erf", UnaryErf, math.Erf, 1e-30, 10, 3, 0},
		{"tanh", UnaryTanh, math.Tanh, 1e-30, 20, 3, 0},
		{"sigmoid", UnarySigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 1e-9, 100, 3, 0x1p-125},
		{"silu", UnarySilu, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, 1e-9, 100, 4, 0x1p-118},
		{"gelu", UnaryGelu, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }, 1e-9, 20, 3, 6e-7},
		{"gelutanh", UnaryGeluTanh, func(x float64) float64 {
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		}, 1e-9, 20, 4, 6e-7},
		{"elu", UnaryElu, func(x float64) float64 {
			if x < 0 {
				return math.Expm1(x)
			}
			return x
		}, 1e-30, 100, 1.5, 0},
		{"softplus", UnarySoftplus, func(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, 1e-9, 100, 3, 0x1p-125},
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, tt := range tests {
		worst, at := 0.0, float32(0)
		for i := range 200000 {
			x := float32(math.Exp(math.Log(tt.lo) + rng.Float64()*(math.Log(tt.hi)-math.Log(tt.lo))))
			if i%2 == 1 {
				x = float32(tt.lo + rng.Float64()*(tt.hi-tt.lo))
			}
			if tt.f != UnaryLog && i%4 >= 2 {
				x = -x
			}
			want := tt.exact(float64(x))
			got := UnaryOf(tt.f, x, 1, 0)
			if e := ulps(got, want); e > worst && math.Abs(float64(got)-want) > tt.abs {
				worst, at = e, x
			}
		}
		t.Logf("%s: %.2f ulp at %g", tt.name, worst, at)
		if worst > tt.ulp {
			t.Errorf("%s(%g): %g ulp, want at most %g", tt.name, at, worst, tt.ulp)
		}
	}
	for _, tt := range []struct {
		f       Unary
		x, want float64
	}{
		{UnaryExp, inf, inf}, {UnaryExp, -inf, 0}, {UnaryExp, 0, 1}, {UnaryExp, 88.72, math.Exp(float64(float32(88.72)))},
		{UnaryExp, 88.73, inf}, {UnaryExp, -1e30, 0},
		{UnaryLog, 0, -inf}, {UnaryLog, inf, inf}, {UnaryLog, -1, math.NaN()}, {UnaryLog, 1, 0}, {UnaryLog, -inf, math.NaN()},
		{UnaryErf, inf, 1}, {UnaryErf, -inf, -1}, {UnaryErf, 0, 0}, {UnaryErf, 1e-45, 1e-45},
		{UnaryTanh, inf, 1}, {UnaryTanh, -inf, -1}, {UnaryTanh, 1e-45, 1e-45},
		{UnarySigmoid, inf, 1}, {UnarySigmoid, -inf, 0}, {UnarySigmoid, 0, 0.5},
		{UnaryGelu, inf, inf}, {UnaryGelu, -1e9, 0}, {UnaryGeluTanh, inf, inf}, {UnaryGeluTanh, -1e9, 0}, {UnarySilu, inf, inf},
		{UnaryElu, -inf, -1}, {UnaryElu, inf, inf}, {UnarySoftplus, inf, inf}, {UnarySoftplus, -inf, 0},
		{UnarySoftplus, 0, math.Ln2}, {UnaryRound, 2.5, 2}, {UnaryRound, -0.3, math.Copysign(0, -1)},
	} {
		if e := ulps(UnaryOf(tt.f, float32(tt.x), 1, 0), tt.want); !(e < 1) {
			t.Errorf("function %d of %g = %g, want %g", tt.f, tt.x, UnaryOf(tt.f, float32(tt.x), 1, 0), tt.want)
		}
	}
	for f := range NumUnary {
		if got := UnaryOf(f, float32(math.NaN()), 1, 1); got == got {
			t.Errorf("function %d of NaN = %g", f, got)
		}
	}
}

func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		f := HalfToFloat(uint16(h))
		want := uint16(h)
		if f != f {
			want |= 0x200
		}
		if got := FloatToHalf(f); got != want {
			t.Fatalf("half %#x: %g: %#x", h, f, got)
		}
	}
	for _, tt := range []struct {
		f float32
		h uint16
	}{
		{1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff}, {65519.996, 0x7bff}, {65520, 0x7c00}, {1e9, 0x7c00},
		{0x1p-24, 1}, {0x1p-25, 0}, {0x1.000002p-25, 1}, {0x1.8p-24, 2}, {-0x1p-30, 0x8000},
		{1 + 0x1p-11, 0x3c00}, {1 + 0x3p-11, 0x3c02}, {0x1.ffep-15, 0x400}, {0x1.ffcp-15, 0x400}, {0x1.ffbp-15, 0x3ff}, // ties to even
	} {
		if got := FloatToHalf(tt.f); got != tt.h {
			t.Errorf("FloatToHalf(%x) = %#x, want %#x", tt.f, got, tt.h)
		}
	}
	if got := HalfToFloat(0x3555); got != 0x1.554p-2 {
		t.Errorf("HalfToFloat(0x3555) = %x", got)
	}
}
