package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func losses(l lib) []graph.Def {
	return []graph.Def{
		{Op: "NegativeLogLikelihoodLoss", Since: 12, New: l.newLoss(false), Types: floatTypes},
		{Op: "SoftmaxCrossEntropyLoss", Since: 12, New: l.newLoss(true), Types: floatTypes},
	}
}

// loss is minus the score of each position's label, times the label's weight; the mean divides by the sum of weights.
// Scores are [N, classes, ...], labels [N, ...]. With softmax, scores go through log-softmax over the classes first,
// which output 1 returns.
type loss struct {
	l         lib
	softmax   bool
	reduction string
	ignored   bool // labels equal to ignore count nothing
	ignore    int64
}

func (l lib) newLoss(softmax bool) func(a *graph.Attrs) (graph.Op, error) {
	return func(a *graph.Attrs) (graph.Op, error) {
		o := &loss{l: l, softmax: softmax, reduction: a.OneOf("reduction", "mean", "sum", "none"), ignored: a.Has("ignore_index")}
		o.ignore = a.Int("ignore_index", 0)
		return o, nil
	}
}

func (o *loss) Infer(c *graph.InferCtx) error {
	if err := needInputs(c, 2, 3); err != nil {
		return err
	}
	floats := []int{0}
	if c.Has(2) {
		floats = append(floats, 2)
	}
	d, err := sameType(c, floats...)
	if err != nil {
		return err
	}
	if err := checkType("loss", d, floatTypes); err != nil {
		return err
	}
	x, t := c.In(0), c.In(1)
	if err := checkType("labels", t.DType, dtypes{tensor.Int32, tensor.Int64}); err != nil {
		return err
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(d))
		c.Out(1, tensor.Unranked(d))
		return nil
	}
	if len(x.Dims) < 2 {
		return fmt.Errorf("scores %v, want at least two dimensions", x)
	}
	labels := append([]tensor.Dim{x.Dims[0]}, x.Dims[2:]...)
	if err := wantDims("labels", t, labels); err != nil {
		return err
	}
	if err := wantDims("weights", c.In(2), x.Dims[1:2]); err != nil {
		return err
	}
	if o.reduction != "none" {
		labels = nil
	}
	c.Out(0, tensor.Ranked(d, labels))
	c.Out(1, x)
	return nil
}

func (o *loss) Run(c *graph.RunCtx) error {
	switch d := c.In[0].DType(); d {
	case tensor.Float32:
		return runLoss[float32](o, c)
	case tensor.Float16, tensor.BFloat16:
		return o.l.asFloat32(c, func(c *graph.RunCtx) error { return runLoss[float32](o, c) })
	case tensor.Float64:
		return runLoss[float64](o, c)
	default:
		return graph.UnsupportedType("loss", d)
	}
}

func runLoss[T float32 | float64](o *loss, c *graph.RunCtx) error {
	shape, x, out := c.In[0].Shape(), tensor.View[T](c.In[0]), tensor.View[T](c.Out[0])
	classes, inner := shape[1], 1
	for _, n := range shape[2:] {
		inner *= n
	}
	if o.softmax {
		log := make([]T, len(x))
		if len(c.Out) > 1 && c.Out[1] != nil {
			log = tensor.View[T](c.Out[1])
		}
		logSoftmax(log, x, classes, inner)
		x = log
	}
	labels, ok := graph.ConstInts(c.In[1])
	if !ok {
		return graph.UnsupportedType("labels", c.In[1].DType())
	}
	var weights []T
	if w := input(c, 2); w != nil {
		weights = tensor.View[T](w)
	}
	var sum, total float64
	for i, label := range labels {
		value := T(0)
		if !o.ignored || label != o.ignore {
			if label < 0 || label >= int64(classes) {
				return fmt.Errorf("label %d is %d, want 0 to %d", i, label, classes-1)
			}
			w := T(1)
			if weights != nil {
				w = weights[label]
			}
			value = -x[(i/inner*classes+int(label))*inner+i%inner] * w
			total += float64(w)
		}
		if o.reduction == "none" {
			out[i] = value
		}
		sum += float64(value)
	}
	switch o.reduction {
	case "mean":
		out[0] = T(sum / total)
	case "sum":
		out[0] = T(sum)
	}
	return nil
}

// logSoftmax normalizes over the middle dimension of [_, classes, inner].
func logSoftmax[T float32 | float64](dst, src []T, classes, inner int) {
	for i := range len(src) / max(classes, 1) {
		first := i/inner*classes*inner + i%inner
		most, sum := math.Inf(-1), 0.0
		for k := range classes {
			most = max(most, float64(src[first+k*inner]))
		}
		for k := range classes {
			sum += math.Exp(float64(src[first+k*inner]) - most)
		}
		log := most + math.Log(sum)
		for k := range classes {
			dst[first+k*inner] = T(float64(src[first+k*inner]) - log)
		}
	}
}
