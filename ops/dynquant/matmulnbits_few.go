package dynquant

import (
	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// fewNBitsRows is up to how many rows of A the codes are read once for each, without being widened to memory.
const fewNBitsRows = 8

// fewNBitsWork is how many codes are worth another goroutine.
const fewNBitsWork = 64 << 10

// fewNBitsJob multiplies a few rows of A with the codes as they are, by rows of B.
type fewNBitsJob struct {
	k       *backend.Kernels
	b       backend.NBitsRows
	a       []float32 // rows of wide elements, as the kernel reads them
	wide    int
	m, n    int
	y, bias []float32
}

// byKernel reports whether kernels read the codes.
func (o *matMulNBits) byKernel(w *blockWeight) bool {
	return o.bits == 4 && o.block%32 == 0 && w.blockOfAt == nil
}

// prepare brings j's rows of A into the order of the kernels.
func (o *matMulNBits) prepare(c *graph.RunCtx, j *nBitsJob) {
	f := &j.few
	*f = fewNBitsJob{k: j.k, b: backend.NBitsRows{Codes: j.w.codes, Scale: j.w.scale, Zero: j.w.zero, Blocks: j.w.perRow, Chunks: o.block / 32},
		wide: j.w.perRow * o.block, m: j.m, n: j.n, y: j.y, bias: j.bias}
	if f.b.Zero == nil {
		f.b.Zero = scratch[float32](c, 1)
		f.b.Zero[0] = 8
	}
	f.a = scratch[float32](c, j.m*f.wide)
	for i := range j.m {
		backend.NBitsVector(f.a[i*f.wide:(i+1)*f.wide], j.a[i*o.k:(i+1)*o.k])
	}
}

func (f *fewNBitsJob) Do(lo, hi int) {
	for r := lo; r < hi; r++ {
		for i := range f.m {
			v := f.k.DotNBits(&f.b, r, f.a[i*f.wide:(i+1)*f.wide])
			if f.bias != nil {
				v += f.bias[r]
			}
			f.y[i*f.n+r] = v
		}
	}
}
