package ops

import (
	"errors"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func layerNorms(l lib) []graph.Def {
	def := func(domain, op string, since int, rms bool) graph.Def {
		return graph.Def{Domain: domain, Op: op, Since: since, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			a.Only("stash_type", 1)
			return layerNorm{l, a.Int("axis", -1), a.Float("epsilon", 1e-5), rms}, nil
		}}
	}
	return []graph.Def{
		def("", "LayerNormalization", 1, false), // ONNX Runtime writes it into models of opsets before 17
		def("", "LayerNormalization", 17, false),
		def("", "RMSNormalization", 23, true),
		def("", "SimplifiedLayerNormalization", 1, true), // ONNX Runtime puts it into this domain
		def("com.microsoft", "SimplifiedLayerNormalization", 1, true),
	}
}

// layerNorm normalizes over the dimensions from axis on; see normRows. Inputs: x, scale, optional bias. Outputs: y and,
// of size 1 in the normalized dimensions, mean and inverse deviation (with rms: the inverse root alone).
type layerNorm struct {
	lib
	axis int64
	eps  float32
	rms  bool
}

func (layerNorm) InPlace() []int { return []int{0} }

func (o layerNorm) Infer(c *graph.InferCtx) error {
	most, inputs := 3, []int{0, 1}
	if o.rms {
		most = 2
	}
	if err := needInputs(c, 2, most); err != nil {
		return err
	}
	x := c.In(0)
	if x.DType.IsFloat() {
		if c.Has(2) {
			inputs = append(inputs, 2)
		}
		if _, err := sameType(c, inputs...); err != nil {
			return err
		}
	}
	if err := checkType("input", x.DType, floatTypes); err != nil {
		return err
	}
	c.Out(0, x)
	stat := tensor.Unranked(tensor.Float32)
	if x.Ranked {
		if len(x.Dims) == 0 {
			return errors.New("input is a scalar, want at least one dimension")
		}
		axis, err := axisOf(o.axis, len(x.Dims))
		if err != nil {
			return err
		}
		dims := append([]tensor.Dim{}, x.Dims...)
		for i := axis; i < len(dims); i++ {
			dims[i] = tensor.Fixed(1)
		}
		stat = tensor.Ranked(tensor.Float32, dims)
	}
	if o.rms {
		c.Out(1, stat)
	} else {
		c.Out(1, stat)
		c.Out(2, stat)
	}
	if err := broadcastsInto("scale", c.In(1), x); err != nil {
		return err
	}
	return broadcastsInto("bias", c.In(2), x)
}

func (o layerNorm) Run(c *graph.RunCtx) error {
	x, y := c.In[0], c.Out[0]
	if isHalf(x.DType()) {
		return o.asFloat32(c, o.Run)
	}
	n := 1
	axis := int(o.axis)
	if axis < 0 {
		axis += x.Rank()
	}
	for _, d := range x.Shape()[axis:] {
		n *= d
	}
	if y.Len() == 0 {
		return nil
	}
	if x.DType() == tensor.Float64 {
		return o.runFloat64(c, n)
	}
	j := graph.State[normRows](c)
	*j = normRows{k: o.k, rms: o.rms, eps: o.eps, n: n, x: tensor.View[float32](x), y: tensor.View[float32](y)}
	if o.rms {
		j.inv = vecOut(c, 1)
	} else {
		j.mean, j.inv = vecOut(c, 1), vecOut(c, 2)
	}
	dense := fillsRow(c, 1, n, x.Rank()-axis) && fillsRow(c, 2, n, x.Rank()-axis)
	if dense {
		j.gamma, j.beta = vec(c, 1), vec(c, 2)
		return j.run(c)
	}
	if err := j.run(c); err != nil {
		return err
	}
	f := [2]backend.Binary{backend.Mul, backend.Add}
	for i, in := range c.In[1:] {
		if in == nil {
			continue
		}
		var p plan
		p.init(y.Shape(), in.Shape())
		v, w := tensor.View[float32](y), tensor.View[float32](in)
		p.each(0, len(v), func(at, n int, off [maxOperands]int) {
			o.k.Binary(f[i], v[at:at+n], v[at:at+n], operand(w, off[0], n, p.stride[0][0]))
		})
	}
	return nil
}

// fillsRow reports whether parameter i has an element for each of a row, or is absent.
func fillsRow(c *graph.RunCtx, i, n, rank int) bool {
	return i >= len(c.In) || c.In[i] == nil || c.In[i].Len() == n && c.In[i].Rank() <= rank
}

func (o layerNorm) runFloat64(c *graph.RunCtx, n int) error {
	x, y := tensor.View[float64](c.In[0]), tensor.View[float64](c.Out[0])
	for i := range len(x) / n {
		mean, inv := normRow64(y[i*n:(i+1)*n], x[i*n:(i+1)*n], float64(o.eps), o.rms)
		stats := []float32{float32(mean), float32(inv)}
		if o.rms {
			stats = stats[1:]
		}
		for k, v := range stats {
			if s := vecOut(c, k+1); s != nil {
				s[i] = v
			}
		}
	}
	for i, in := range c.In[1:] {
		if in == nil {
			continue
		}
		var p plan
		p.init(c.Out[0].Shape(), in.Shape())
		w := tensor.View[float64](in)
		p.each(0, len(y), func(at, n int, off [maxOperands]int) {
			for k := range n {
				v := w[off[0]+k*p.stride[0][0]]
				if i == 0 {
					y[at+k] *= v
				} else {
					y[at+k] += v
				}
			}
		})
	}
	return nil
}
