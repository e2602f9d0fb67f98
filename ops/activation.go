package ops

import (
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func activations(l lib) []graph.Def {
	def := func(name string, since int, types dtypes, mk func(a *graph.Attrs) unary) graph.Def {
		return graph.Def{Op: name, Since: since, Types: types, New: func(a *graph.Attrs) (graph.Op, error) {
			ignoreConsumed(a)
			u := mk(a)
			u.lib, u.types = l, types
			if u.grain == 0 {
				u.grain = grainCostly
			}
			return u, nil
		}}
	}
	with := func(kern backend.Unary, f func(float64) float64) func(*graph.Attrs) unary {
		return func(*graph.Attrs) unary { return unary{kern: kern, f: f} }
	}
	relu := func(*graph.Attrs) unary {
		return unary{kern: backend.Relu, f: func(x float64) float64 { return max(x, 0) }, grain: grainCheap,
			ints: intFuncs{signed: func(x int64) int64 { return max(x, 0) }}}
	}
	defs := []graph.Def{
		def("Relu", 1, floatTypes, relu),
		def("Relu", 14, append(floatTypes[:len(floatTypes):len(floatTypes)], signedTypes...), relu),
		def("LeakyRelu", 1, floatTypes, leakyRelu),
		def("ThresholdedRelu", 10, floatTypes, thresholdedRelu),
		def("Elu", 1, floatTypes, elu),
		def("Selu", 1, floatTypes, selu),
		def("Celu", 12, floatTypes, celu),
		def("HardSigmoid", 1, floatTypes, hardSigmoid),
		def("HardSwish", 14, floatTypes, hardSwish),
		def("Sigmoid", 1, floatTypes, with(backend.Sigmoid, sigmoid)),
		def("Tanh", 1, floatTypes, with(backend.Tanh, math.Tanh)),
		def("Softplus", 1, floatTypes, with(backend.Softplus, softplus)),
		def("Softsign", 1, floatTypes, with(noKernel, func(x float64) float64 { return x / (1 + math.Abs(x)) })),
		def("Gelu", 20, floatTypes, gelu),
		def("Mish", 18, floatTypes, with(noKernel, func(x float64) float64 { return x * math.Tanh(softplus(x)) })),
		def("Swish", 24, floatTypes, swish),
		def("Shrink", 9, numberTypes, shrink),
	}
	for _, o := range []struct {
		domain, name string
		mk           func(*graph.Attrs) unary
	}{
		{"qrun", "Silu", with(backend.Silu, func(x float64) float64 { return x * sigmoid(x) })},
		{"qrun", "HardSwish", hardSwish},
		{"qrun", "Gelu", gelu},
		{"qrun", "QuickGelu", quickGelu},
		{"com.microsoft", "Gelu", with(backend.Gelu, geluExact)},
		{"com.microsoft", "QuickGelu", quickGelu},
	} {
		d := def(o.name, 1, floatTypes, o.mk)
		d.Domain = o.domain
		defs = append(defs, d)
	}
	return defs
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func geluExact(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+float64(0.044715*x*x*x))))
}

func leakyRelu(a *graph.Attrs) unary {
	alpha := a.Float("alpha", 0.01)
	return unary{kern: backend.LeakyRelu, p0: alpha, grain: grainCheap, f: func(x float64) float64 {
		if x < 0 {
			return x * float64(alpha)
		}
		return x
	}}
}

func thresholdedRelu(a *graph.Attrs) unary {
	alpha := float64(a.Float("alpha", 1))
	return unary{kern: noKernel, grain: grainCheap, f: func(x float64) float64 {
		if x > alpha {
			return x
		}
		return 0
	}}
}

func eluOf(x, alpha, gamma float64) float64 {
	if x < 0 {
		return gamma * alpha * math.Expm1(x)
	}
	return gamma * x
}

func elu(a *graph.Attrs) unary {
	alpha := a.Float("alpha", 1)
	return unary{kern: backend.Elu, p0: alpha, f: func(x float64) float64 { return eluOf(x, float64(alpha), 1) }}
}

func selu(a *graph.Attrs) unary {
	alpha, gamma := float32(1.67326319217681884765625), float32(1.05070102214813232421875)
	if a.Opset < 6 {
		alpha, gamma = 1.6732, 1.0507
	}
	alpha, gamma = a.Float("alpha", alpha), a.Float("gamma", gamma)
	return unary{kern: noKernel, f: func(x float64) float64 { return eluOf(x, float64(alpha), float64(gamma)) }}
}

func celu(a *graph.Attrs) unary {
	alpha := float64(a.Float("alpha", 1))
	return unary{kern: noKernel, f: func(x float64) float64 { return max(0, x) + min(0, alpha*math.Expm1(x/alpha)) }}
}

func hardSigmoid(a *graph.Attrs) unary {
	alpha, beta := a.Float("alpha", 0.2), a.Float("beta", 0.5)
	return unary{kern: backend.HardSigmoid, p0: alpha, p1: beta, grain: grainCheap, f: func(x float64) float64 {
		return max(0, min(1, float64(float64(alpha)*x)+float64(beta)))
	}}
}

func hardSwish(*graph.Attrs) unary {
	return unary{kern: backend.HardSwish, grain: grainCheap, f: func(x float64) float64 { return x * max(0, min(1, x/6+0.5)) }}
}

func gelu(a *graph.Attrs) unary {
	if a.OneOf("approximate", "none", "tanh") == "tanh" {
		return unary{kern: backend.GeluTanh, f: geluTanh}
	}
	return unary{kern: backend.Gelu, f: geluExact}
}

func swish(a *graph.Attrs) unary {
	alpha := a.Float("alpha", 1)
	return unary{kern: backend.QuickGelu, p0: alpha, f: func(x float64) float64 { return x * sigmoid(float64(alpha)*x) }}
}

func quickGelu(a *graph.Attrs) unary {
	alpha := a.Float("alpha", 1.702)
	return unary{kern: backend.QuickGelu, p0: alpha, f: func(x float64) float64 { return x * sigmoid(float64(alpha)*x) }}
}

// shrink is y = x+bias if x < -lambd, x-bias if x > lambd, else 0.
func shrink(a *graph.Attrs) unary {
	bias, lambd := float64(a.Float("bias", 0)), float64(a.Float("lambd", 0.5))
	f := func(x float64) float64 {
		switch {
		case x < -lambd:
			return x + bias
		case x > lambd:
			return x - bias
		}
		return 0
	}
	return unary{kern: noKernel, grain: grainCheap, f: f, ints: intFuncs{
		func(x int64) int64 { return int64(f(float64(x))) }, func(x uint64) uint64 { return uint64(f(float64(x))) }}}
}

func biasActivations(l lib) []graph.Def {
	return []graph.Def{
		{Domain: "com.microsoft", Op: "BiasGelu", Since: 1, Types: floatTypes, New: func(*graph.Attrs) (graph.Op, error) { return biasGelu{l, backend.Gelu, true}, nil }},
		{Domain: "com.microsoft", Op: "FastGelu", Since: 1, Types: floatTypes, New: func(*graph.Attrs) (graph.Op, error) { return biasGelu{l, backend.GeluTanh, false}, nil }},
	}
}

// biasGelu is com.microsoft's BiasGelu (exact, bias required) and FastGelu (tanh, bias optional): gelu(x + bias) with
// a bias of one dimension, the last.
type biasGelu struct {
	lib
	kern     backend.Unary
	required bool
}

func (o biasGelu) InPlace() []int { return []int{0} }

func (o biasGelu) Infer(c *graph.InferCtx) error {
	need := 1
	if o.required {
		need = 2
	}
	if err := needInputs(c, need, 2); err != nil {
		return err
	}
	d, err := sameType(c, 0, c.NumIn()-1)
	if err != nil {
		return err
	}
	c.Out(0, c.In(0))
	if c.Has(1) {
		if _, err := lastDimParam(c, 1, "bias"); err != nil {
			return err
		}
	}
	return checkType("input", d, floatTypes)
}

type biasGeluJob struct {
	k            *backend.Kernels
	f            backend.Unary
	dst, x, bias []float32
}

func (j *biasGeluJob) Do(lo, hi int) {
	n := len(j.bias)
	for r := lo; r < hi; r++ {
		y := j.dst[r*n : (r+1)*n]
		j.k.Binary(backend.Add, y, j.x[r*n:(r+1)*n], j.bias)
		j.k.Unary(j.f, y, y, 0, 0)
	}
}

func (o biasGelu) Run(c *graph.RunCtx) error {
	switch {
	case isHalf(c.In[0].DType()):
		return o.asFloat32(c, o.Run)
	case c.In[0].DType() == tensor.Float64:
		return o.runFloat64(c)
	case len(c.In) < 2 || c.In[1] == nil:
		return unary{lib: o.lib, kern: o.kern, grain: grainCostly}.Run(c)
	case c.Out[0].Len() == 0:
		return nil
	}
	j := graph.State[biasGeluJob](c)
	*j = biasGeluJob{o.k, o.kern, tensor.View[float32](c.Out[0]), tensor.View[float32](c.In[0]), tensor.View[float32](c.In[1])}
	n := len(j.bias)
	err := c.For(len(j.x)/n, grainCostly/n+1, j)
	*j = biasGeluJob{}
	return err
}

func (o biasGelu) runFloat64(c *graph.RunCtx) error {
	f := geluExact
	if o.kern == backend.GeluTanh {
		f = geluTanh
	}
	y := tensor.View[float64](c.Out[0])
	for i, x := range tensor.View[float64](c.In[0]) {
		if len(c.In) > 1 && c.In[1] != nil {
			b := tensor.View[float64](c.In[1])
			x += b[i%len(b)]
		}
		y[i] = f(x)
	}
	return nil
}
