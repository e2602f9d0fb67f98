package ops

import (
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func selections(l lib) []graph.Def {
	return []graph.Def{{Op: "Where", Since: 9, Types: moveTypes, New: func(*graph.Attrs) (graph.Op, error) { return where{}, nil }}}
}

// moveTypes are the types whose elements can be moved one by one: all but those of less than a byte.
var moveTypes = slices.Concat(numberTypes, dtypes{tensor.Bool, tensor.String, tensor.Complex64, tensor.Complex128,
	tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float8E8M0})

// where is y = x1 where the condition holds, else x2, with broadcasting of all three.
type where struct{}

func (where) InPlace() []int { return []int{1, 2} }

func (where) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 3, 3); err != nil {
		return err
	}
	cond, err := sameType(c, 0)
	if err != nil {
		return err
	}
	d, err := sameType(c, 1, 2)
	if err != nil {
		return err
	}
	if err := checkType("condition", cond, dtypes{tensor.Bool}); err != nil {
		return err
	}
	if err := checkType("input", d, moveTypes); err != nil {
		return err
	}
	s, err := broadcastSpecs(d, inputSpecs(c)...)
	c.Out(0, s)
	return err
}

func (where) Run(c *graph.RunCtx) error {
	switch d := c.Out[0].DType(); {
	case d == tensor.String:
		return runWhere(c, chooseAny[string])
	case d.Size() == 1:
		return runWhere(c, chooseBits[uint8])
	case d.Size() == 2:
		return runWhere(c, chooseBits[uint16])
	case d.Size() == 4:
		return runWhere(c, chooseBits[uint32])
	case d.Size() == 8:
		return runWhere(c, chooseBits[uint64])
	default:
		return runWhere(c, chooseAny[complex128])
	}
}

type whereJob[T tensor.Element] struct {
	plan
	dst  []T
	cond []bool
	x, y []T
	// choose writes x or y for each condition; an operand of one element serves for all.
	choose func(dst []T, cond []bool, x, y []T)
}

func (j *whereJob[T]) Do(lo, hi int) {
	j.each(lo, hi, func(at, n int, off [maxOperands]int) {
		dst := j.dst[at : at+n]
		cond := operand(j.cond, off[0], n, j.stride[0][0])
		x := operand(j.x, off[1], n, j.stride[1][0])
		y := operand(j.y, off[2], n, j.stride[2][0])
		if len(cond) == 1 {
			if !cond[0] {
				x = y
			}
			if len(x) == n {
				copy(dst, x)
				return
			}
			for i := range dst {
				dst[i] = x[0]
			}
			return
		}
		j.choose(dst, cond, x, y)
	})
}

func chooseAny[T any](dst []T, cond []bool, x, y []T) {
	sx, sy := step(x), step(y)
	for i, is := range cond {
		if is {
			dst[i] = x[i*sx]
		} else {
			dst[i] = y[i*sy]
		}
	}
}

// chooseBits has no branch on the condition, which no processor predicts where masks are irregular.
func chooseBits[T uint8 | uint16 | uint32 | uint64](dst []T, cond []bool, x, y []T) {
	dst = dst[:len(cond)]
	switch {
	case len(x) == len(cond) && len(y) == len(cond):
		for i, is := range cond {
			dst[i] = y[i] ^ (x[i]^y[i])&-T(b2i(is))
		}
	case len(x) == len(cond):
		v := y[0]
		for i, is := range cond {
			dst[i] = v ^ (x[i]^v)&-T(b2i(is))
		}
	case len(y) == len(cond):
		v := x[0]
		for i, is := range cond {
			dst[i] = y[i] ^ (v^y[i])&-T(b2i(is))
		}
	default:
		v, w := x[0], y[0]
		for i, is := range cond {
			dst[i] = w ^ (v^w)&-T(b2i(is))
		}
	}
}

func runWhere[T tensor.Element](c *graph.RunCtx, choose func(dst []T, cond []bool, x, y []T)) error {
	j := graph.State[whereJob[T]](c)
	j.init(c.Out[0].Shape(), c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape())
	j.dst, j.cond = tensor.View[T](c.Out[0]), tensor.View[bool](c.In[0])
	j.x, j.y = tensor.View[T](c.In[1]), tensor.View[T](c.In[2])
	j.choose = choose
	err := c.For(len(j.dst), grainCheap, j)
	j.dst, j.cond, j.x, j.y = nil, nil, nil, nil
	return err
}
