package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func groupNorms(l lib) []graph.Def {
	return []graph.Def{
		{Op: "InstanceNormalization", Since: 1, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			ignoreConsumed(a)
			return groupNorm{lib: l, eps: a.Float("epsilon", 1e-5)}, nil
		}},
		{Op: "GroupNormalization", Since: 18, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			o, err := l.newGroupNorm(a)
			o.perGroup = true
			return o, err
		}},
		{Op: "GroupNormalization", Since: 21, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
			a.Only("stash_type", 1)
			return l.newGroupNorm(a)
		}},
	}
}

// groupNorm normalizes each group of channels of each sample of x [batch, channels, ...] to mean 0 and variance 1, then
// applies scale and bias, one for each channel or (GroupNormalization 18) for each group.
type groupNorm struct {
	lib
	eps      float32
	groups   int // 0: each channel is a group
	perGroup bool
}

func (l lib) newGroupNorm(a *graph.Attrs) (groupNorm, error) {
	a.Require("num_groups")
	n := a.Int("num_groups", 1)
	if n < 1 || n > math.MaxInt32 {
		return groupNorm{}, fmt.Errorf("attribute num_groups=%d, want at least 1", n)
	}
	return groupNorm{lib: l, eps: a.Float("epsilon", 1e-5), groups: int(n)}, nil
}

func (groupNorm) InPlace() []int { return []int{0} }

func (o groupNorm) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 3, 3); err != nil {
		return err
	}
	d, err := sameType(c, 0, 1, 2)
	if err != nil {
		return err
	}
	if err := checkType("input", d, floatTypes); err != nil {
		return err
	}
	x := c.In(0)
	c.Out(0, x)
	if !x.Ranked {
		return nil
	}
	if len(x.Dims) < 2 {
		return fmt.Errorf("input is %v, want at least two dimensions", x)
	}
	want, of := x.Dims[1], "channels"
	if o.groups > 0 && want.Known() && want.Size%o.groups != 0 {
		return fmt.Errorf("%d channels do not divide into %d groups", want.Size, o.groups)
	}
	if o.perGroup {
		want, of = tensor.Fixed(o.groups), "groups"
	}
	for i := 1; i < 3; i++ {
		if p := c.In(i); p.Ranked && (len(p.Dims) != 1 || !agree(p.Dims[0], want)) {
			return fmt.Errorf("input %d is %v, want one element for each of %v %s", i, p, want, of)
		}
	}
	return nil
}

func (o groupNorm) Run(c *graph.RunCtx) error {
	x := c.In[0]
	if isHalf(x.DType()) {
		return o.asFloat32(c, o.Run)
	}
	if x.Len() == 0 {
		return nil
	}
	channels := x.Shape()[1]
	groups := o.groups
	if groups == 0 {
		groups = channels
	}
	j := graph.State[groupNormJob](c)
	*j = groupNormJob{k: o.k, eps: o.eps, groups: groups, chans: channels / groups, n: x.Len() / x.Shape()[0] / channels, perGroup: o.perGroup}
	rows := x.Shape()[0] * groups
	var err error
	if x.DType() == tensor.Float64 {
		j.run64(c, rows)
	} else {
		j.x, j.y = vec(c, 0), tensor.View[float32](c.Out[0])
		j.scale, j.bias = vec(c, 1), vec(c, 2)
		err = c.For(rows, max(1, grainCostly/(j.chans*j.n)), j)
	}
	*j = groupNormJob{}
	return err
}

// groupNormJob's tasks are the groups: chans channels of n elements each.
type groupNormJob struct {
	k           *backend.Kernels
	eps         float32
	groups      int
	chans, n    int
	perGroup    bool
	x, y        []float32
	scale, bias []float32
}

func (j *groupNormJob) Do(lo, hi int) {
	size := j.chans * j.n
	for r := lo; r < hi; r++ {
		y := j.y[r*size : (r+1)*size]
		j.k.LayerNorm(y, j.x[r*size:(r+1)*size], nil, nil, j.eps)
		for ch := range j.chans {
			p, v := j.param(r, ch), y[ch*j.n:(ch+1)*j.n]
			j.k.Unary(backend.MulAdd, v, v, j.scale[p], j.bias[p])
		}
	}
}

// param is the index of the parameters of a channel of a group.
func (j *groupNormJob) param(row, ch int) int {
	if j.perGroup {
		return row % j.groups
	}
	return row%j.groups*j.chans + ch
}

func (j *groupNormJob) run64(c *graph.RunCtx, rows int) {
	size := j.chans * j.n
	x, y := tensor.View[float64](c.In[0]), tensor.View[float64](c.Out[0])
	scale, bias := tensor.View[float64](c.In[1]), tensor.View[float64](c.In[2])
	for r := range rows {
		v := y[r*size : (r+1)*size]
		normRow64(v, x[r*size:(r+1)*size], float64(j.eps), false)
		for i := range v {
			p := j.param(r, i/j.n)
			v[i] = float64(v[i]*scale[p]) + bias[p]
		}
	}
}
