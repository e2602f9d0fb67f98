package asm

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// vectorSets are the sets with assembly that this CPU can run.
func vectorSets() map[string]*Vector {
	sets := map[string]*Vector{}
	for name, isa := range map[string]ISA{"avx2": AVX2, "avx512": AVX512, "neon": NEON} {
		if Has(isa) {
			sets[name] = NewVector(isa)
		}
	}
	return sets
}

// vecValues are n values: special ones, random bits, and mostly ordinary magnitudes.
func vecValues(n int, seed uint64, special bool) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	values := []float32{
		0, float32(math.Copysign(0, -1)), inf, -inf, nan, 1e-45, -1e-45, 1e-38, -1e-38, math.MaxFloat32, -math.MaxFloat32,
		88.72, 88.73, -87.5, -87.3, -86.9, 0.5, 1.5, -2.5, 4, -4, 10, -25, 1, -1, 0.70710677, 0x1p-126,
	}
	x := make([]float32, n)
	for i := range x {
		switch r := rng.IntN(16); {
		case special && r == 0:
			x[i] = values[rng.IntN(len(values))]
		case special && r == 1:
			x[i] = math.Float32frombits(rng.Uint32())
		default:
			x[i] = float32(rng.NormFloat64() * 4)
		}
	}
	return x
}

// sameBits says whether two results are equal; any NaN is as good as another.
func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func checkSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !sameBits(got[i], want[i]) {
			t.Fatalf("%s: element %d of %d is %g (%#x), want %g (%#x)", what, i, len(want), got[i], math.Float32bits(got[i]),
				want[i], math.Float32bits(want[i]))
		}
	}
}

// vecLengths are all lengths with every kind of tail, and some of more than one chunk.
func vecLengths() []int {
	var n []int
	for i := range 131 {
		n = append(n, i)
	}
	return append(n, vecChunk-1, vecChunk+1, 3*vecChunk+37)
}

func TestVectorElementwise(t *testing.T) {
	scalar := new(Vector)
	for name, v := range vectorSets() {
		for _, n := range vecLengths() {
			a, b := vecValues(n, uint64(n), true), vecValues(n, uint64(n)+1000, true)
			got, want := make([]float32, n), make([]float32, n)
			for f := range NumUnary {
				scalar.Unary(f, want, a, 0.7, 1.2)
				v.Unary(f, got, a, 0.7, 1.2)
				checkSame(t, fmt.Sprintf("%s: %s", name, VecUnaryKernels[1+f].Name), got, want)
			}
			for f := range NumBinary {
				scalar.Binary(f, want, a, b)
				v.Binary(f, got, a, b)
				checkSame(t, fmt.Sprintf("%s: binary %d", name, f), got, want)
				for _, s := range []float32{1.7, float32(math.NaN()), 0} {
					scalar.BinaryVS(f, want, a, s)
					v.BinaryVS(f, got, a, s)
					checkSame(t, fmt.Sprintf("%s: binary %d, scalar b", name, f), got, want)
					scalar.BinarySV(f, want, s, b)
					copy(got, b)
					v.BinarySV(f, got, s, got)
					checkSame(t, fmt.Sprintf("%s: binary %d, scalar a, in place", name, f), got, want)
				}
			}
			copy(want, b)
			copy(got, b)
			scalar.Axpy(want, a, 1.1)
			v.Axpy(got, a, 1.1)
			checkSame(t, name+": axpy", got, want)
		}
	}
}

func TestVectorReduce(t *testing.T) {
	scalar := new(Vector)
	for name, v := range vectorSets() {
		for _, n := range vecLengths() {
			for seed := range uint64(6) {
				a, b := vecValues(n, seed, seed > 3), vecValues(n, seed+100, false)
				mn, mx, finite := v.MinMax(a)
				mn0, mx0, finite0 := scalar.MinMax(a)
				if finite != finite0 {
					t.Fatalf("%s: finite is %v of %v", name, finite, a)
				}
				checkSame(t, fmt.Sprintf("%s: reductions of %d", name, n),
					[]float32{v.Sum(a), v.SumSquares(a), v.Dot(a, b), v.MaxOf(a), mn, mx},
					[]float32{scalar.Sum(a), scalar.SumSquares(a), scalar.Dot(a, b), scalar.MaxOf(a), mn0, mx0})
			}
		}
	}
}

// rowCases calls f with row functions of n elements, every combination of optional operands among them; with f's copy
// of the case it may write.
func rowCases(n, rows int, f func(fn int, r *Rows)) {
	step := n + 3
	value := func(seed uint64, n int) []float32 { return vecValues(n, seed+uint64(1000*n), seed%4 == 3) }
	cases := 32
	if n > 131 {
		cases = 2 // all tails have been tested
	}
	for fn := range numRow {
		for c := range cases {
			opt := func(bit int, s []float32) []float32 {
				if c&bit == 0 {
					return nil
				}
				return s
			}
			r := &Rows{
				N: n, Rows: rows, Dst: make([]float32, rows*step), Src: value(uint64(c), rows*n+5), DstStep: step, SrcStep: n,
				Add: opt(1, value(101, rows*step)), AddStep: step, Bias: opt(2, value(102, n)), Gamma: opt(4, value(104, n)),
				Beta: opt(8, value(105, n)), Sum: opt(16, make([]float32, rows*step)), Mean: opt(4, make([]float32, rows)),
				Inv: opt(8, make([]float32, rows)), Scale: 0.3, Eps: 1e-5,
			}
			if c&16 != 0 {
				r.AddStep = 0
			}
			if fn == rowSoftmax || fn == rowLogSoftmax {
				r.Bias, r.Sum, r.Mean, r.Inv, r.Gamma, r.Beta = nil, nil, nil, nil, nil, nil
			}
			f(fn, r)
		}
	}
}

func TestVectorRows(t *testing.T) {
	for name, v := range vectorSets() {
		for _, n := range append(vecLengths()[1:], vecLongRow+1) {
			rows := min(3, 1+2000/n)
			rowCases(n, rows, func(fn int, r *Rows) {
				w := *r
				clone := func(s []float32) []float32 { return append([]float32(nil), s...) }
				w.Dst, w.Sum, w.Mean, w.Inv = clone(r.Dst), clone(r.Sum), clone(r.Mean), clone(r.Inv)
				new(Vector).rows(fn, &w)
				v.rows(fn, r)
				what := fmt.Sprintf("%s: row function %d, N %d, add %v, bias %v, gamma %v, beta %v", name, fn, n, r.Add != nil,
					r.Bias != nil, r.Gamma != nil, r.Beta != nil)
				checkSame(t, what, r.Dst, w.Dst)
				checkSame(t, what+": sum", r.Sum, w.Sum)
				checkSame(t, what+": mean", r.Mean, w.Mean)
				checkSame(t, what+": inv", r.Inv, w.Inv)
			})
		}
	}
}

func TestVectorQuantizeRows(t *testing.T) {
	for name, v := range vectorSets() {
		for _, n := range append(vecLengths(), vecLongRow+1) {
			const rows = 3
			step := (n+63)&^63 + 16
			for seed := range uint64(8) {
				src := vecValues(rows*(n+1), seed+uint64(n)<<8, seed > 5)
				for i := range src { // ranges of one sign, of zero, tiny, huge
					switch seed {
					case 1:
						src[i] = float32(math.Abs(float64(src[i])))
					case 2:
						src[i] = -float32(math.Abs(float64(src[i]))) - 1
					case 3:
						src[i] = 0
					case 4:
						src[i] *= 1e-44
					case 5:
						src[i] *= 2e37
					}
				}
				type result struct {
					q         []uint8
					scale     []float32
					zero, sum []int32
				}
				run := func(v *Vector) (r result) {
					r = result{make([]uint8, rows*step), make([]float32, rows), make([]int32, rows), make([]int32, rows)}
					for i := range r.q {
						r.q[i] = 99
					}
					v.QuantizeRows(r.q, step, src, n+1, n, rows, r.scale, r.zero, r.sum)
					return r
				}
				got, want := run(v), run(new(Vector))
				what := fmt.Sprintf("%s: rows of %d, seed %d", name, n, seed)
				checkSame(t, what+": scale", got.scale, want.scale)
				if fmt.Sprint(got.zero, got.sum) != fmt.Sprint(want.zero, want.sum) || !bytes.Equal(got.q, want.q) {
					t.Fatalf("%s: zero points %v, sums %v, want %v, %v; bytes %v, want %v", what, got.zero, got.sum, want.zero, want.sum,
						got.q, want.q)
				}
			}
		}
	}
}

// Quotients at and around ties round as the division's.
func TestVectorQuantizeTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	scalar := new(Vector)
	for name, v := range vectorSets() {
		for i := range 400 {
			scale := float32(math.Exp(rng.NormFloat64() * 5))
			switch i % 4 {
			case 0:
				scale = 1
			case 1:
				scale = 0.00214854861 // with 0.273939937 a product with the reciprocal is a tie that the quotient is not
			}
			zero := rng.IntN(256)
			src := []float32{0.273939937, float32(-zero) * scale, float32(255-zero) * scale}
			for len(src) < 128 {
				x := float32((float64(rng.IntN(255)-zero) + 0.5) * float64(scale))
				src = append(src, x, math.Nextafter32(x, 1e9), math.Nextafter32(x, -1e9), x+scale*0x1p-15)
			}
			got, want := make([]uint8, len(src)), make([]uint8, len(src))
			if s, s0 := v.QuantizeU8(got, src, scale, uint8(zero)), scalar.QuantizeU8(want, src, scale, uint8(zero)); s != s0 || !bytes.Equal(got, want) {
				t.Fatalf("%s: scale %g, zero point %d: %v, want %v", name, scale, zero, got, want)
			}
			if src[0] < src[1] || src[0] > src[2] {
				src[0] = 0
			}
			scales, zeros, sums := make([]float32, 2), make([]int32, 2), make([]int32, 2)
			got, want = make([]uint8, 160), make([]uint8, 160)
			v.QuantizeRows(got, 160, src, 0, len(src), 1, scales[:1], zeros[:1], sums[:1])
			scalar.QuantizeRows(want, 160, src, 0, len(src), 1, scales[1:], zeros[1:], sums[1:])
			if scales[0] != scales[1] || zeros[0] != zeros[1] || sums[0] != sums[1] || !bytes.Equal(got, want) {
				t.Fatalf("%s: scales %v, zero points %v, sums %v: %v, want %v", name, scales, zeros, sums, got, want)
			}
		}
	}
}

func asU8(x []int8) []uint8 {
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// TestRequantize checks the definition: rounding to even, the bounds of both types, and what becomes of NaN.
func TestRequantize(t *testing.T) {
	for _, c := range []struct {
		x, bias   int32
		scale     float32
		zero, low int32
		want      uint8
	}{
		{5, 0, 0.5, 0, 0, 2}, {7, 0, 0.5, 0, 0, 4}, {4, 1, 0.5, 10, 0, 12}, {-5, 0, 0.5, 10, 0, 8}, {1000, 0, 1, 10, 0, 255},
		{-1000, 0, 1, 10, 0, 0}, {1000, 0, 1, -3, -128, 127}, {-1000, 0, 1, -3, -128, 128}, {-5, 0, 0.5, -3, -128, 251},
		{1, 0, float32(math.NaN()), 10, 0, 0}, {1, 0, float32(math.NaN()), 10, -128, 128},
		{math.MaxInt32, 1, 1e-8, 100, 0, 79},
	} {
		var got [1]uint8
		new(Vector).Requantize(got[:], []int32{c.x}, c.bias, c.scale, c.zero, c.low)
		if got[0] != c.want {
			t.Errorf("%+v: got %d", c, got[0])
		}
	}
}

func TestVectorConvert(t *testing.T) {
	scalar := new(Vector)
	for name, v := range vectorSets() {
		for _, n := range vecLengths() {
			src := vecValues(n, uint64(n), true)
			for _, scale := range []float32{0.031, 1, 1e-40, float32(math.Inf(1)), float32(math.NaN())} {
				got, want := make([]uint8, n), make([]uint8, n)
				s, s0 := v.QuantizeU8(got, src, scale, 77), scalar.QuantizeU8(want, src, scale, 77)
				if s != s0 || !bytes.Equal(got, want) {
					t.Fatalf("%s: quantize %d by %g: %v (sum %d), want %v (sum %d)", name, n, scale, got, s, want, s0)
				}
			}
			half, half0 := make([]uint16, n), make([]uint16, n)
			v.FloatToHalf(half, src)
			scalar.FloatToHalf(half0, src)
			for i := range half {
				if half[i] != half0[i] {
					t.Fatalf("%s: float16 of %g is %#x, want %#x", name, src[i], half[i], half0[i])
				}
			}
			got, want := make([]float32, n), make([]float32, n)
			v.HalfToFloat(got, half)
			scalar.HalfToFloat(want, half)
			checkSame(t, name+": half", got, want)
			u, s, ints := make([]uint8, n), make([]int8, n), make([]int32, n)
			for i := range u {
				u[i], s[i], ints[i] = uint8(i*7), int8(i*7), int32(i*0x12345677)
			}
			v.DequantizeU8(got, u, 0.37, 120)
			scalar.DequantizeU8(want, u, 0.37, 120)
			checkSame(t, name+": dequantize", got, want)
			v.DequantizeI8(got, s, 0.37, -3)
			scalar.DequantizeI8(want, s, 0.37, -3)
			checkSame(t, name+": dequantize", got, want)
			for i := range min(n, 20) {
				for _, scale := range []float32{0.0131, 0.5, 1e-7, float32(math.NaN())} {
					low := int32(i%2) * -128
					v.Requantize(u[i:], ints[i:], int32(3*i), scale, low+9, low)
					requantize(asU8(s[i:]), ints[i:], int32(3*i), scale, low+9, low)
					if !bytes.Equal(u[i:], asU8(s[i:])) {
						t.Fatalf("%s: requantize %v by %g: %v, want %v", name, ints[i:], scale, u[i:], s[i:])
					}
				}
			}
			for i := range got {
				got[i] = float32(i*i*7919%(1<<23)-1<<22) / float32(i%5+1)
			}
			back, back0 := make([]int32, n), make([]int32, n)
			v.FloatToInt(back, got)
			for i, x := range got {
				back0[i] = int32(math.RoundToEven(float64(x)))
			}
			if !slices.Equal(back, back0) {
				t.Fatalf("%s: %v to integers: %v, want %v", name, got, back, back0)
			}
			v.IntToFloat(got, ints)
			scalar.IntToFloat(want, ints)
			checkSame(t, name+": int to float", got, want)
		}
	}
	for name, v := range vectorSets() { // every float16
		all, got := make([]uint16, 1<<16), make([]float32, 1<<16)
		for i := range all {
			all[i] = uint16(i)
		}
		v.HalfToFloat(got, all)
		for i, f := range got {
			if math.Float32bits(f) != math.Float32bits(HalfToFloat(uint16(i))) {
				t.Fatalf("%s: half %#x is %#x, want %#x", name, i, math.Float32bits(f), math.Float32bits(HalfToFloat(uint16(i))))
			}
		}
	}
}

func TestVectorAllocates(t *testing.T) {
	x, y := vecValues(100, 1, false), make([]float32, 100)
	q, one, ints := make([]uint8, 128), make([]float32, 1), make([]int32, 1)
	h := make([]uint16, 100)
	sets := vectorSets()
	sets["scalar"] = new(Vector)
	for name, v := range sets {
		n := testing.AllocsPerRun(10, func() {
			v.Unary(UnaryExp, y, x, 0, 0)
			v.Binary(BinaryAdd, y, x, x)
			v.BinaryVS(BinaryAdd, y, x, 1)
			v.Axpy(y, x, 1)
			v.Sum(x)
			v.MinMax(x)
			v.LayerNorm(&Rows{N: 100, Rows: 1, Dst: y, Src: x, Inv: one})
			v.Softmax(&Rows{N: 100, Rows: 1, Dst: y, Src: x, Scale: 1})
			v.QuantizeRows(q, 128, x, 100, 100, 1, one, ints, ints)
			v.QuantizeU8(q, x, 1, 3)
			v.HalfToFloat(y, h)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
