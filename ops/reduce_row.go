package ops

import (
	"math"
)

// float32Row is how a row of float32 becomes one: with the kernels that there are.
func (l lib) float32Row(kind reduceKind) func([]float32) float32 {
	slow := floatRow[float32](kind)
	switch kind {
	case reduceSum:
		return l.k.Sum
	case reduceMean:
		return func(v []float32) float32 { return l.k.Sum(v) / float32(len(v)) }
	case reduceMax:
		return l.k.MaxOf
	case reduceMin:
		return func(v []float32) float32 {
			if mn, _, finite := l.k.MinMax(v); finite && len(v) > 0 {
				return mn
			}
			return slow(v)
		}
	case reduceSumSquare:
		return l.k.SumSquares
	case reduceL2:
		return func(v []float32) float32 { return float32(math.Sqrt(float64(l.k.SumSquares(v)))) }
	}
	return slow
}

// floatRow is how a row becomes one number, in float64.
func floatRow[T float32 | float64](kind reduceKind) func([]T) T {
	fold := func(start float64, f func(acc, x float64) float64, end func(acc float64, n int) float64) func([]T) T {
		return func(v []T) T {
			acc := start
			for _, x := range v {
				acc = f(acc, float64(x))
			}
			return T(end(acc, len(v)))
		}
	}
	same := func(acc float64, _ int) float64 { return acc }
	add := func(acc, x float64) float64 { return acc + x }
	square := func(acc, x float64) float64 { return acc + float64(x*x) }
	switch kind {
	case reduceSum:
		return fold(0, add, same)
	case reduceMean:
		return fold(0, add, func(acc float64, n int) float64 { return acc / float64(n) })
	case reduceMax:
		return fold(math.Inf(-1), func(acc, x float64) float64 { return max(acc, x) }, same)
	case reduceMin:
		return fold(math.Inf(1), func(acc, x float64) float64 { return min(acc, x) }, same)
	case reduceProd:
		return fold(1, func(acc, x float64) float64 { return acc * x }, same)
	case reduceL1:
		return fold(0, func(acc, x float64) float64 { return acc + math.Abs(x) }, same)
	case reduceL2:
		return fold(0, square, func(acc float64, _ int) float64 { return math.Sqrt(acc) })
	case reduceLogSum:
		return fold(0, add, func(acc float64, _ int) float64 { return math.Log(acc) })
	case reduceSumSquare:
		return fold(0, square, same)
	}
	return logSumExp[T]
}

// logSumExp takes the largest element out of the sum, so that exp does not overflow.
func logSumExp[T float32 | float64](v []T) T {
	m := math.Inf(-1)
	for _, x := range v {
		m = max(m, float64(x))
	}
	if math.IsInf(m, 0) {
		return T(m)
	}
	sum := 0.0
	for _, x := range v {
		sum += math.Exp(float64(x) - m)
	}
	return T(m + math.Log(sum))
}

// intRow is how a row of integers becomes one: exact but for overflow, or, for means, roots and logarithms, in float64
// and truncated. The largest of nothing is the type's smallest number and the reverse.
func intRow[T integer](kind reduceKind) func([]T) T {
	fold := func(start T, f func(acc, x T) T) func([]T) T {
		return func(v []T) T {
			acc := start
			for _, x := range v {
				acc = f(acc, x)
			}
			return acc
		}
	}
	switch kind {
	case reduceSum:
		return fold(0, func(acc, x T) T { return acc + x })
	case reduceProd:
		return fold(1, func(acc, x T) T { return acc * x })
	case reduceSumSquare:
		return fold(0, func(acc, x T) T { return acc + x*x })
	case reduceL1:
		return fold(0, func(acc, x T) T {
			if x < 0 {
				x = -x
			}
			return acc + x
		})
	case reduceMax:
		lo, _ := intLimits[T]()
		return fold(lo, func(acc, x T) T { return max(acc, x) })
	case reduceMin:
		_, hi := intLimits[T]()
		return fold(hi, func(acc, x T) T { return min(acc, x) })
	}
	row := floatRow[float64](kind)
	return func(v []T) T {
		f := make([]float64, len(v))
		for i, x := range v {
			f[i] = float64(x)
		}
		return truncate[T](row(f))
	}
}

// intLimits are the smallest and the largest number of an integer type.
func intLimits[T integer]() (lo, hi T) {
	ones := ^T(0)
	if ones > 0 {
		return 0, ones
	}
	hi = 1
	for hi<<1|1 > hi {
		hi = hi<<1 | 1
	}
	return ^hi, hi
}
