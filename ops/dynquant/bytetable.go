package dynquant

import (
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) byteTables() []graph.Def {
	return []graph.Def{
		{Domain: microsoft, Op: "QLinearSigmoid", Since: 1, New: newQLinearSigmoid, Types: byteTypes},
		{Domain: microsoft, Op: "QLinearLeakyRelu", Since: 1, New: newQLinearLeakyRelu, Types: byteTypes},
		{Domain: microsoft, Op: "QLinearConcat", Since: 1, New: newQLinearConcat, Types: byteTypes},
	}
}

// scaled is the scale and the zero point of an 8-bit tensor.
type scaled struct {
	scale float32
	zero  int32
}

func scaledOf(c *graph.RunCtx, scale, zero int) scaled {
	return scaled{scalar(c.In[scale]), scalarZero(at(c.In, zero))}
}

// wantScaled checks an 8-bit input with one scale and one zero point, which may be absent; x is -1 for those of the result.
func wantScaled(c *graph.InferCtx, x, scale, zero int) error {
	if x >= 0 {
		if err := wantType(c, x, "elements", byteTypes...); err != nil {
			return err
		}
		if err := wantSameType(c, x, zero, "elements and zero point"); err != nil {
			return err
		}
	}
	if err := wantType(c, scale, "scale", tensor.Float32); err != nil {
		return err
	}
	if err := wantOne(c, scale, "scale"); err != nil {
		return err
	}
	if err := wantType(c, zero, "zero point", byteTypes...); err != nil {
		return err
	}
	return wantOne(c, zero, "zero point")
}

// byteTable is a function of an 8-bit number, by its bits.
type byteTable [256]uint8

// floatTable is the values of the 8-bit numbers of type d, by their bits.
type floatTable [256]float32

func (t *floatTable) set(d tensor.DType, p scaled) {
	for i := range t {
		v := int32(i)
		if d == tensor.Int8 {
			v = int32(int8(i))
		}
		t[i] = float32(v-p.zero) * p.scale
	}
}

// set makes the table that dequantizes, applies f (nil: nothing) and quantizes again.
func (t *byteTable) set(d tensor.DType, x, y scaled, f func(float32) float32) {
	var v floatTable
	v.set(d, x)
	g := byteGridOf(d, y.zero)
	for i, a := range v {
		if f != nil {
			a = f(a)
		}
		t[i] = g.byte(a / y.scale)
	}
}

// tableJob looks bytes up.
type tableJob struct {
	t        byteTable
	dst, src []uint8
}

func (j *tableJob) Do(lo, hi int) {
	dst := j.dst[lo:hi]
	for i, v := range j.src[lo:hi] {
		dst[i] = j.t[v]
	}
}

// qLinearUnary is a function of dequantized numbers, quantized again: y = clip(rne(f((x-x_zero)*x_scale)/y_scale) + y_zero).
// Inputs: x, x_scale, x_zero, y_scale, y_zero; zero points may be absent.
type qLinearUnary struct{ f func(float32) float32 }

func newQLinearSigmoid(*graph.Attrs) (graph.Op, error) {
	return &qLinearUnary{func(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }}, nil
}

func newQLinearLeakyRelu(a *graph.Attrs) (graph.Op, error) {
	alpha := a.Float("alpha", 0.01)
	return &qLinearUnary{func(x float32) float32 {
		if x < 0 {
			return x * alpha
		}
		return x
	}}, nil
}

func (o *qLinearUnary) Infer(c *graph.InferCtx) error { return inferQLinear(c) }

// inferQLinear checks x, x_scale, x_zero, y_scale, y_zero for a result of x's type and shape.
func inferQLinear(c *graph.InferCtx) error {
	if err := wantInputs(c, 2, 5); err != nil {
		return err
	}
	if err := wantScaled(c, 0, 1, 2); err != nil {
		return err
	}
	if err := wantScaled(c, -1, 3, 4); err != nil {
		return err
	}
	if err := wantSameType(c, 0, 4, "elements and zero point of the result"); err != nil {
		return err
	}
	c.Out(0, c.In(0))
	return nil
}

func (o *qLinearUnary) Run(c *graph.RunCtx) error {
	j := graph.State[tableJob](c)
	defer func() { j.dst, j.src = nil, nil }()
	j.t.set(c.In[0].DType(), scaledOf(c, 1, 2), scaledOf(c, 3, 4), o.f)
	j.dst, j.src = c.Out[0].Bytes(), c.In[0].Bytes()
	return c.For(len(j.dst), 1<<14, j)
}
