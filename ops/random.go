package ops

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func randoms(l lib) []graph.Def {
	return []graph.Def{
		{Op: "RandomNormal", Since: 1, New: newRandom(normal(), false), Types: floatTypes},
		{Op: "RandomUniform", Since: 1, New: newRandom(uniform(), false), Types: floatTypes},
		{Op: "RandomNormalLike", Since: 1, New: newRandom(normal(), true), Types: everyType()},
		{Op: "RandomUniformLike", Since: 1, New: newRandom(uniform(), true), Types: everyType()},
		{Op: "Bernoulli", Since: 15, New: newBernoulli, Types: floatTypes},
		{Op: "Multinomial", Since: 7, New: newMultinomial, Types: floatTypes},
	}
}

// seed starts a generator: the same numbers in every run where the model gives a seed, else others in each.
type seed struct {
	bits  uint32
	fixed bool
}

func newSeed(a *graph.Attrs) seed {
	return seed{math.Float32bits(a.Float("seed", 0)), a.Has("seed")}
}

func (s seed) rand() *rand.Rand {
	if s.fixed {
		return rand.New(rand.NewPCG(uint64(s.bits), 0x9e3779b97f4a7c15))
	}
	return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
}

// unseeded hides an operator without a seed from constant folding.
type unseeded struct{ graph.Op }

func (unseeded) Impure() {}

// seeded returns op as it is folded or not.
func (s seed) seeded(op graph.Op) graph.Op {
	if s.fixed {
		return op
	}
	return unseeded{op}
}

// distribution draws a number for the two parameters of an operator.
type distribution struct {
	names    [2]string // attributes
	defaults [2]float32
	draw     func(r *rand.Rand, p, q float64) float64
}

func normal() distribution {
	return distribution{[2]string{"mean", "scale"}, [2]float32{0, 1},
		func(r *rand.Rand, mean, scale float64) float64 { return mean + float64(scale*r.NormFloat64()) }}
}

func uniform() distribution {
	return distribution{[2]string{"low", "high"}, [2]float32{0, 1},
		func(r *rand.Rand, low, high float64) float64 { return low + float64((high-low)*r.Float64()) }}
}

// random is a tensor of independent numbers, of the shape of an attribute or of input 0.
type random struct {
	seed  seed
	dist  distribution
	p, q  float64
	like  bool
	shape []int
	dtype tensor.DType // Undefined: that of the input
}

func newRandom(d distribution, like bool) func(*graph.Attrs) (graph.Op, error) {
	return func(a *graph.Attrs) (graph.Op, error) {
		o := random{seed: newSeed(a), dist: d, like: like}
		o.p, o.q = float64(a.Float(d.names[0], d.defaults[0])), float64(a.Float(d.names[1], d.defaults[1]))
		var err error
		if !like || a.Has("dtype") {
			o.dtype, err = outputType(a, "dtype")
		}
		if !like {
			a.Require("shape")
			o.shape = make([]int, len(a.Ints("shape")))
			for i, v := range a.Ints("shape") {
				o.shape[i] = int(v)
			}
			if err == nil {
				err = checkSize(o.dtype, o.shape)
			}
		}
		return o.seed.seeded(o), err
	}
}

func (o random) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, b2i(o.like), b2i(o.like)); err != nil {
		return err
	}
	if !o.like {
		c.Out(0, tensor.SpecOf(o.dtype, o.shape...))
		return nil
	}
	s := c.In(0)
	if o.dtype != tensor.Undefined {
		s.DType = o.dtype
	}
	c.Out(0, s)
	return checkType("output", s.DType, floatTypes)
}

func (o random) Run(c *graph.RunCtx) error {
	d, shape := o.dtype, o.shape
	if o.like {
		shape = c.In[0].Shape()
		if d == tensor.Undefined {
			d = c.In[0].DType()
		}
	}
	y, err := output(c, 0, d, shape...)
	if err != nil {
		return err
	}
	r := o.seed.rand()
	f := make([]float64, y.Len())
	for i := range f {
		f[i] = o.dist.draw(r, o.p, o.q)
	}
	return fromFloats(y, f)
}

// bernoulli is 1 with the probability in its input, else 0.
type bernoulli struct {
	seed  seed
	dtype tensor.DType
}

func newBernoulli(a *graph.Attrs) (graph.Op, error) {
	o := bernoulli{seed: newSeed(a)}
	if v := a.Int("dtype", 0); v != 0 {
		if o.dtype = tensor.DType(v); v < 0 || v > math.MaxUint8 || !o.dtype.Valid() {
			return nil, fmt.Errorf("attribute dtype=%d is no element type", v)
		}
	}
	return o.seed.seeded(o), checkType("attribute dtype", o.dtype, append(dtypes{tensor.Bool}, numberTypes...))
}

func (o bernoulli) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	s := c.In(0)
	if err := checkType("input", s.DType, floatTypes); err != nil {
		return err
	}
	if o.dtype != tensor.Undefined {
		s.DType = o.dtype
	}
	c.Out(0, s)
	return nil
}

func (o bernoulli) Run(c *graph.RunCtx) error {
	d := o.dtype
	if d == tensor.Undefined {
		d = c.In[0].DType()
	}
	y, err := output(c, 0, d, c.In[0].Shape()...)
	if err != nil {
		return err
	}
	f, err := toFloats(c.In[0])
	if err != nil {
		return err
	}
	r := o.seed.rand()
	for i, p := range f {
		if f[i] = 0; r.Float64() < p {
			f[i] = 1
		}
	}
	return fromFloats(y, f)
}

// multinomial draws classes by their unnormalized log-probabilities [batch classes]: [batch samples].
type multinomial struct {
	seed    seed
	samples int
	dtype   tensor.DType
}

func newMultinomial(a *graph.Attrs) (graph.Op, error) {
	o := multinomial{seed: newSeed(a), samples: int(a.Int("sample_size", 1)), dtype: tensor.DType(a.Int("dtype", int64(tensor.Int32)))}
	if o.samples < 0 || o.dtype != tensor.Int32 && o.dtype != tensor.Int64 {
		return nil, fmt.Errorf("sample_size=%d and dtype=%v, want a number and int32 or int64", o.samples, o.dtype)
	}
	return o.seed.seeded(o), nil
}

func (o multinomial) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if err := checkType("input", x.DType, floatTypes); err != nil {
		return err
	}
	dims := []tensor.Dim{tensor.AnyDim, tensor.Fixed(o.samples)}
	if x.Ranked {
		if len(x.Dims) != 2 {
			return fmt.Errorf("input %v, want [batch classes]", x)
		}
		dims[0] = x.Dims[0]
	}
	c.Out(0, tensor.Ranked(o.dtype, dims))
	return checkDims(o.dtype, dims)
}

func (o multinomial) Run(c *graph.RunCtx) error {
	x := c.In[0]
	batch, classes := x.Shape()[0], x.Shape()[1]
	y, err := output(c, 0, o.dtype, batch, o.samples)
	if err != nil || y.Len() == 0 {
		return err
	}
	logits, err := toFloats(x)
	if err != nil {
		return err
	}
	if classes == 0 {
		return fmt.Errorf("input %v has no classes", x)
	}
	r := o.seed.rand()
	f := make([]float64, y.Len())
	sums := make([]float64, classes)
	for b := range batch {
		row := logits[b*classes : (b+1)*classes]
		top, sum := math.Inf(-1), 0.0
		for _, v := range row {
			top = max(top, v)
		}
		for i, v := range row {
			sum += math.Exp(v - top)
			sums[i] = sum
		}
		for s := range o.samples {
			u, k := r.Float64()*sum, 0
			for k < classes-1 && sums[k] <= u {
				k++
			}
			f[b*o.samples+s] = float64(k)
		}
	}
	return fromFloats(y, f)
}
