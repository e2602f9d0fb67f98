package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// Weave brings the n elements of rows of a and b side by side: dst[2*i] is a[i] and dst[2*i+1] is b[i]. Rows of a and of
// b are lds elements apart, those of dst ldd.
func (k *Kernels) Weave(dst []float32, ldd int, a, b []float32, lds, rows, n int) {
	if rows == 0 || n == 0 {
		return
	}
	need(len(a) >= extent(rows, n, lds), "even columns", len(a), extent(rows, n, lds))
	need(len(b) >= extent(rows, n, lds), "odd columns", len(b), extent(rows, n, lds))
	need(len(dst) >= extent(rows, 2*n, ldd), "result", len(dst), extent(rows, 2*n, ldd))
	if n < weaveLeast {
		for r := range rows {
			to, x, y := dst[r*ldd:], a[r*lds:], b[r*lds:]
			for i := range n {
				to[2*i], to[2*i+1] = x[i], y[i]
			}
		}
		return
	}
	step := max(1, weaveChunk/n)
	for col := 0; col < n; col += weaveChunk {
		at := min(col, n-weaveLeast) // the last columns may be written again
		for r := 0; r < rows; r += step {
			args := asm.ArgsWeave{
				Dst: &dst[r*ldd+2*at], LDD: int64(4 * ldd), A: &a[r*lds+at], B: &b[r*lds+at], LDS: int64(4 * lds),
				Rows: int64(min(step, rows-r)), Cols: int64(min(weaveChunk, n-at)),
			}
			k.weaveCall(&args)
		}
	}
}

const (
	// weaveLeast is the least number of columns that kernels take.
	weaveLeast = 8
	// weaveChunk is the number of columns that a call takes in all, to be short.
	weaveChunk = 1 << 13
)

//go:noinline
func (k *Kernels) weaveCall(a *asm.ArgsWeave) { k.weave.Call(a) }
