package ops

import (
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func softmaxes(l lib) []graph.Def {
	var defs []graph.Def
	for _, o := range []struct {
		name string
		kind softmaxKind
	}{{"Softmax", softmaxPlain}, {"LogSoftmax", softmaxLog}, {"Hardmax", softmaxHard}} {
		defs = append(defs,
			graph.Def{Op: o.name, Since: 1, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
				return softmax{l, o.kind, a.Int("axis", 1), true}, nil
			}},
			graph.Def{Op: o.name, Since: 13, Types: floatTypes, New: func(a *graph.Attrs) (graph.Op, error) {
				return softmax{l, o.kind, a.Int("axis", -1), false}, nil
			}})
	}
	return defs
}

type softmaxKind uint8

const (
	softmaxPlain softmaxKind = iota
	softmaxLog
	softmaxHard // 1 at the first largest element, else 0
)

// softmax is Softmax, LogSoftmax or Hardmax along one axis. With flat (opsets before 13) all dimensions from axis on
// are one.
type softmax struct {
	lib
	kind softmaxKind
	axis int64
	flat bool
}

func (softmax) InPlace() []int { return []int{0} }

func (o softmax) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 1, 1); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	x := c.In(0)
	c.Out(0, x)
	if x.Ranked && !(o.flat && o.axis == int64(len(x.Dims))) && len(x.Dims) > 0 {
		if _, err := axisOf(o.axis, len(x.Dims)); err != nil {
			return err
		}
	}
	return checkType("input", d, floatTypes)
}

// split returns the number of elements before, along and after the axis.
func (o softmax) split(shape []int) (outer, n, inner int) {
	axis := int(o.axis)
	if axis < 0 {
		axis += len(shape)
	}
	outer, n, inner = 1, 1, 1
	for i, d := range shape {
		switch {
		case i < axis:
			outer *= d
		case i == axis || o.flat:
			n *= d
		default:
			inner *= d
		}
	}
	return outer, n, inner
}

func (o softmax) Run(c *graph.RunCtx) error {
	x, y := c.In[0], c.Out[0]
	outer, n, inner := o.split(x.Shape())
	if y.Len() == 0 {
		return nil
	}
	switch x.DType() {
	case tensor.Float16, tensor.BFloat16:
		return o.asFloat32(c, o.Run)
	case tensor.Float64:
		softmaxAny(o.kind, tensor.View[float64](y), tensor.View[float64](x), outer, n, inner)
		return nil
	}
	if o.kind == softmaxHard {
		softmaxAny(o.kind, tensor.View[float32](y), tensor.View[float32](x), outer, n, inner)
		return nil
	}
	j := graph.State[softmaxJob](c)
	*j = softmaxJob{k: o.k, log: o.kind == softmaxLog, y: tensor.View[float32](y), x: tensor.View[float32](x), n: n, inner: inner}
	tasks := outer
	if inner > 1 {
		j.blocks = (inner + softmaxBlock - 1) / softmaxBlock
		tasks *= j.blocks
		j.tmp = floatScratch(c, 2*outer*inner)
	}
	err := c.For(tasks, max(1, grainCostly/(n*min(inner, softmaxBlock))), j)
	*j = softmaxJob{}
	return err
}

// softmaxBlock is how many columns are done together when the axis is not the last.
const softmaxBlock = 512

// softmaxJob's tasks are rows or, when the axis is not the last, blocks of columns.
type softmaxJob struct {
	k        *backend.Kernels
	log      bool
	y, x     []float32
	n, inner int
	blocks   int
	tmp      []float32 // two for each column: largest element, sum
}

func (j *softmaxJob) Do(lo, hi int) {
	if j.inner > 1 {
		for i := lo; i < hi; i++ {
			j.columns(i)
		}
		return
	}
	r := backend.Rows{N: j.n, Rows: hi - lo, Dst: j.y[lo*j.n : hi*j.n], Src: j.x[lo*j.n : hi*j.n], DstStep: j.n, SrcStep: j.n, Scale: 1}
	if j.log {
		j.k.LogSoftmaxRows(&r)
	} else {
		j.k.SoftmaxRows(&r)
	}
}

func (j *softmaxJob) columns(task int) {
	outer, from := task/j.blocks, task%j.blocks*softmaxBlock
	w := min(softmaxBlock, j.inner-from)
	at := 2 * (outer*j.inner + from)
	top, sum := j.tmp[at:at+w], j.tmp[at+w:at+2*w]
	row := func(s []float32, i int) []float32 {
		at := (outer*j.n+i)*j.inner + from
		return s[at : at+w]
	}
	copy(top, row(j.x, 0))
	for i := 1; i < j.n; i++ {
		j.k.Binary(backend.Max, top, top, row(j.x, i))
	}
	clear(sum)
	for i := range j.n {
		y := row(j.y, i)
		j.k.Binary(backend.Sub, y, row(j.x, i), top)
		if j.log {
			continue
		}
		j.k.Unary(backend.Exp, y, y, 0, 0)
		j.k.Binary(backend.Add, sum, sum, y)
	}
	if !j.log {
		for i := range j.n {
			j.k.Binary(backend.Div, row(j.y, i), row(j.y, i), sum)
		}
		return
	}
	for i := range j.n {
		j.k.Unary(backend.Exp, top, row(j.y, i), 0, 0)
		j.k.Binary(backend.Add, sum, sum, top)
	}
	j.k.Unary(backend.Log, sum, sum, 0, 0)
	for i := range j.n {
		j.k.Binary(backend.Sub, row(j.y, i), row(j.y, i), sum)
	}
}

// softmaxAny computes element by element, in float64.
func softmaxAny[T float32 | float64](kind softmaxKind, y, x []T, outer, n, inner int) {
	for i := range outer * inner {
		at := i/inner*n*inner + i%inner
		top, best := x[at], 0
		for k := range n {
			if v := x[at+k*inner]; v > top {
				top, best = v, k
			}
		}
		sum := 0.0
		for k := range n {
			p := at + k*inner
			switch kind {
			case softmaxHard:
				y[p] = T(b2i(k == best))
			default:
				e := float64(x[p] - top)
				sum += math.Exp(e)
				y[p] = T(e)
			}
		}
		for k := range n {
			switch p := at + k*inner; kind {
			case softmaxPlain:
				y[p] = T(math.Exp(float64(y[p])) / sum)
			case softmaxLog:
				y[p] = T(float64(y[p]) - math.Log(sum))
			}
		}
	}
}
