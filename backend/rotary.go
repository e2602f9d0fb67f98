package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// Turns is rows whose elements are turned in pairs that are Half apart, by the same angles in all rows. What lies behind the
// pairs of a row is left alone.
type Turns struct {
	Dst, X         []float32 // may be the same
	DstStep, XStep int       // elements between rows
	Rows, Half     int
	Cos, Sin       []float32 // of 2*Half elements, or of Half for both elements of a pair
}

// rotaryCall is how many pairs a call of the kernel turns, to be short.
const rotaryCall = 1 << 14

// TurnHalves computes Dst = X*Cos + [-second half of X, first half]*Sin for each row, every product rounded.
func (k *Kernels) TurnHalves(t *Turns) {
	if t.Rows == 0 || t.Half == 0 {
		return
	}
	h := t.Half
	need(len(t.Dst) >= (t.Rows-1)*t.DstStep+2*h, "result", len(t.Dst), (t.Rows-1)*t.DstStep+2*h)
	need(len(t.X) >= (t.Rows-1)*t.XStep+2*h, "rows", len(t.X), (t.Rows-1)*t.XStep+2*h)
	need(len(t.Cos) >= h && len(t.Sin) >= h, "angles", min(len(t.Cos), len(t.Sin)), h)
	second := h
	if len(t.Cos) < 2*h || len(t.Sin) < 2*h {
		second = 0
	}
	for r, i := 0, 0; r < t.Rows; {
		rows, n := min(t.Rows-r, max(1, rotaryCall/h)), min(h-i, rotaryCall)
		d, x := r*t.DstStep+i, r*t.XStep+i
		args := asm.ArgsRotary{Dst: &t.Dst[d], Dst1: &t.Dst[d+h], X: &t.X[x], X1: &t.X[x+h],
			Cos: &t.Cos[i], Cos1: &t.Cos[second+i], Sin: &t.Sin[i], Sin1: &t.Sin[second+i],
			N: int64(n), Rows: int64(rows), DstStep: int64(4 * t.DstStep), XStep: int64(4 * t.XStep)}
		k.rotary.Call(&args)
		if i += n; i == h {
			r, i = r+rows, 0
		}
	}
}
