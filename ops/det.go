package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func determinants(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Det", Since: 11, New: newDet, Types: floatTypes},
	}
}

// det is the determinant of square matrices.
type det struct{}

func newDet(*graph.Attrs) (graph.Op, error) { return det{}, nil }

func (det) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if err := checkType("input", x.DType, floatTypes); err != nil {
		return err
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	n := len(x.Dims)
	if n < 2 {
		return fmt.Errorf("input %v, want matrices", x)
	}
	if _, ok := unifyDim(x.Dims[n-1], x.Dims[n-2]); !ok {
		return fmt.Errorf("input %v, want square matrices", x)
	}
	c.Out(0, tensor.Ranked(x.DType, x.Dims[:n-2]))
	return nil
}

func (det) Run(c *graph.RunCtx) error {
	x := c.In[0]
	rank := x.Rank()
	y, err := output(c, 0, x.DType(), x.Shape()[:rank-2]...)
	if err != nil {
		return err
	}
	a, err := toFloats(x)
	if err != nil {
		return err
	}
	n := x.Shape()[rank-1]
	out := make([]float64, y.Len())
	for i := range out {
		out[i] = determinant(a[i*n*n:(i+1)*n*n], n)
	}
	return fromFloats(y, out)
}

// determinant eliminates with row pivots; it overwrites a.
func determinant(a []float64, n int) float64 {
	d := 1.0
	for k := range n {
		p := k
		for r := k + 1; r < n; r++ {
			if math.Abs(a[r*n+k]) > math.Abs(a[p*n+k]) {
				p = r
			}
		}
		if a[p*n+k] == 0 {
			return 0
		}
		if p != k {
			d = -d
			for i := range n {
				a[p*n+i], a[k*n+i] = a[k*n+i], a[p*n+i]
			}
		}
		d *= a[k*n+k]
		for r := k + 1; r < n; r++ {
			f := a[r*n+k] / a[k*n+k]
			for i := k; i < n; i++ {
				a[r*n+i] -= float64(f * a[k*n+i])
			}
		}
	}
	return d
}
