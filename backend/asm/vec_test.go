package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// vectorSets are the sets with assembly that this CPU can run.
func vectorSets() map[string]*Vector {
	sets := map[string]*Vector{}
	for name, isa := range map[string]ISA{"avx2": AVX2, "avx512": AVX512} {
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
	for fn := range numRow {
		for c := range 32 {
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
				if n > 200 && r.Bias != nil {
					return
				}
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
