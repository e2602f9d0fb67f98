package backend

// Sum, Max and the other reductions use 16 virtual lanes: lane i takes elements i, i+16, i+32, ... in order, then one
// fixed tree (lane i with i+8, then i+4, i+2, i+1), so that their bits depend on no tier.
func (k *Kernels) Sum(src []float32) float32 { return k.vec.Sum(src) }

// SumRows writes the Sum of each row of src to dst: of len(dst) rows of n elements side by side.
func (k *Kernels) SumRows(dst, src []float32, n int) {
	if n == 0 || n > longRow {
		for i := range dst {
			dst[i] = k.vec.Sum(src[i*n : (i+1)*n])
		}
		return
	}
	src = src[:len(dst)*n]
	k.vec.Sums(&Rows{N: n, Rows: len(dst), Dst: src, Src: src, DstStep: n, SrcStep: n, Mean: dst})
}

// longRow is the length from which a row is summed by itself, in calls that are short.
const longRow = 1 << 12

// SumSquares is the sum of squares, a fused multiply-add per element.
func (k *Kernels) SumSquares(src []float32) float32 { return k.vec.SumSquares(src) }

// Dot is the scalar product, a fused multiply-add per element.
func (k *Kernels) Dot(a, b []float32) float32 { return k.vec.Dot(a, b[:len(a)]) }

// MaxOf is the largest element (NaN if one is NaN), -Inf of nothing.
func (k *Kernels) MaxOf(src []float32) float32 { return k.vec.MaxOf(src) }

// MinMax returns the smallest and largest element. finite is false when one is NaN or infinite; then min and max are
// over the others. Of nothing: 0, 0, true.
func (k *Kernels) MinMax(src []float32) (mn, mx float32, finite bool) { return k.vec.MinMax(src) }
