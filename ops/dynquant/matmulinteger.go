package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) matMulIntegers() []graph.Def {
	return []graph.Def{{Op: "MatMulInteger", Since: 10, New: l.newMatMulInteger, Types: byteTypes}}
}

// packedWeight is the constant right operand of a product.
type packedWeight struct {
	packs *[]*backend.PackedI8
	shape []int
}

// matMulInteger computes Y = (A - a_zero)(B - b_zero) in int32, exactly modulo 2^32, with A and B of uint8 or int8 each.
// Inputs: A, B, a_zero, b_zero; zero points are one for all, one per row of A ([M], [..., M, 1]) or one per column of B
// ([N], [..., 1, N]).
type matMulInteger struct {
	l       lib
	hasZero bool // of B
	weight  packedWeight
}

func (l lib) newMatMulInteger(a *graph.Attrs) (graph.Op, error) {
	return &matMulInteger{l: l, hasZero: a.HasIn(3)}, nil
}

func (o *matMulInteger) KernelName() string { return "u8s8/" + o.l.k.Name() }

func (o *matMulInteger) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 2, 4); err != nil {
		return err
	}
	return inferProduct(c, productInputs{a: 0, b: 1, zeroA: 2, zeroB: 3}, tensor.Int32)
}

// productInputs are the numbers of the inputs of a product, -1 for those that an operator does not have.
type productInputs struct{ a, b, zeroA, zeroB, scaleA, scaleB int }

// inferProduct checks the operands of a product and sets output 0.
func inferProduct(c *graph.InferCtx, in productInputs, out tensor.DType) error {
	for _, i := range []int{in.a, in.b} {
		if err := wantType(c, i, "matrix product", byteTypes...); err != nil {
			return err
		}
	}
	if err := wantSameType(c, in.a, in.zeroA, "left operand and zero point"); err != nil {
		return err
	}
	if err := wantSameType(c, in.b, in.zeroB, "right operand and zero point"); err != nil {
		return err
	}
	return inferProductShape(c, in, out)
}

func inferProductShape(c *graph.InferCtx, in productInputs, out tensor.DType) error {
	a, b := c.In(in.a), c.In(in.b)
	if in.zeroA >= 0 && c.Has(in.zeroA) {
		if err := checkRowParam("zero point", c.In(in.zeroA), a); err != nil {
			return err
		}
	}
	if c.Has(in.zeroB) {
		if err := checkColumnParam("zero point", c.In(in.zeroB), b); err != nil {
			return err
		}
	}
	dims, ranked, err := matMulDims(a, b)
	if err != nil {
		return err
	}
	if b.Ranked && len(b.Dims) > 0 {
		if err := checkDepth(b.Dims[max(0, len(b.Dims)-2)]); err != nil {
			return err
		}
	}
	c.Out(0, tensor.Spec{DType: out, Dims: dims, Ranked: ranked})
	return nil
}

// checkDepth refuses products whose sums the kernels cannot hold.
func checkDepth(k tensor.Dim) error {
	if k.Known() && k.Size > backend.MaxDepthI8 {
		return fmt.Errorf("a depth of %d overflows int32 sums, the largest is %d", k.Size, backend.MaxDepthI8)
	}
	return nil
}

func (o *matMulInteger) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	w, used := o.l.prepackB(consts, 1, -1, 3, o.hasZero)
	if used == nil {
		return o, nil, nil
	}
	p := *o
	p.weight = w
	return &p, used, nil
}

// prepackB packs the constant input b with the scale and zero point of those numbers, of which it needs none or constants.
func (l lib) prepackB(consts []*tensor.Tensor, b, scale, zero int, hasZero bool) (w packedWeight, used []int) {
	t := at(consts, b)
	if t == nil || t.Len() == 0 || hasZero && at(consts, zero) == nil || scale >= 0 && at(consts, scale) == nil {
		return w, nil
	}
	used = []int{b}
	var s, z *tensor.Tensor
	if hasZero {
		z = plainColumns(consts[zero], t)
		used = append(used, zero)
	}
	if scale >= 0 {
		s = plainColumns(consts[scale], t)
		used = append(used, scale)
	}
	if z == nil && hasZero || s == nil && scale >= 0 {
		return w, nil
	}
	w.shape = t.Shape()
	if t.Rank() == 1 { // a column
		m, err := t.Reshape(t.Len(), 1)
		if err != nil {
			return w, nil
		}
		t = m
	}
	w.packs = l.pack(t, s, z, false)
	return w, used
}

// plainColumns is p when it has one element, one per column of b, or one per column of each of its matrices; else nil:
// such parameters are broadcast when the model runs.
func plainColumns(p, b *tensor.Tensor) *tensor.Tensor {
	lead, _, n := matrixOf(b.Shape(), true)
	if s := p.Shape(); p.Len() == 1 || len(s) == 1 || s[len(s)-1] == n && (p.Len() == n || p.Len() == n*count(lead)) {
		return p
	}
	return nil
}

func (o *matMulInteger) Run(c *graph.RunCtx) error {
	p := graph.State[byteProduct](c)
	defer p.reset()
	p.l, p.a = o.l, c.In[0]
	p.zeroA = rowZeros(c, at(c.In, 2), p.a)
	p.useB(c, o.weight, c.In[1], nil, at(c.In, 3))
	p.ci = tensor.View[int32](c.Out[0])
	return p.run(c)
}

// useB takes the packed weight, or packs what the run has got.
func (p *byteProduct) useB(c *graph.RunCtx, w packedWeight, b, scale, zero *tensor.Tensor) {
	if w.packs != nil {
		p.packs, p.shapeB = *w.packs, w.shape
		return
	}
	var s []float32
	if scale != nil {
		s = columnParams(floatParams(c, scale), scale.Shape(), b.Shape())
	}
	p.packB(c, b, s, zero, false)
}
