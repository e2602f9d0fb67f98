package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/tensor"
)

// show prints the steps of a layer with one row of input.
func show(w io.Writer, l qrun.LayerTrace) error {
	row := func(step, format string, a ...any) { fmt.Fprintf(w, "%-26s %s\n", step, fmt.Sprintf(format, a...)) }
	row("x", "%s   %v", list(tensor.View[float32](l.X)), l.X)
	row("its range", "from %g to %g", l.Min[0], l.Max[0])
	row("scale", "(%g - %g)/255 = %.7g", l.Max[0], l.Min[0], l.Scale[0])
	row("zero point", "round(%g/scale) = %d", -l.Min[0], l.Zero[0])
	row("x in uint8", "%s   %v", list(tensor.View[uint8](l.Q)), l.Q)
	k, n := l.W.Shape()[0], l.W.Shape()[1]
	weights, bytes := tensor.View[float32](l.W), tensor.View[int8](l.WQ)
	for j := range n {
		f, q := make([]float32, k), make([]int8, k)
		for i := range k {
			f[i], q[i] = weights[i*n+j], bytes[i*n+j]
		}
		row(fmt.Sprintf("weights of y[%d]", j), "%s", list(f))
		row("  in int8", "%s   scale %.7g", list(q), l.WScale[j])
	}
	row("sums of (q - zero)*w", "%s   %v, exact, on %s", list(tensor.View[int32](l.Acc)), l.Acc, l.Kernel)
	row("sum * scale * scale of w", "%s   %v", list(tensor.View[float32](l.Product)), l.Product)
	row("bias, never quantized", "%s", list(l.Bias))
	row("y", "%s", list(tensor.View[float32](l.Result)))
	row("y without quantization", "%s", list(tensor.View[float32](l.Float)))
	return nil
}

func list[T any](v []T) string {
	var b strings.Builder
	for _, x := range v {
		switch x := any(x).(type) {
		case float32:
			fmt.Fprintf(&b, "%9.4f", x)
		default:
			fmt.Fprintf(&b, "%9d", x)
		}
	}
	return b.String()
}
