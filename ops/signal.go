package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func signals(l lib) []graph.Def {
	index := dtypes{tensor.Int32, tensor.Int64}
	return []graph.Def{
		{Op: "HannWindow", Since: 17, New: taperOf(0.5, 0.5, 0), Types: index},
		{Op: "HammingWindow", Since: 17, New: taperOf(25.0/46, 21.0/46, 0), Types: index},
		{Op: "BlackmanWindow", Since: 17, New: taperOf(0.42, 0.5, 0.08), Types: index},
		{Op: "MelWeightMatrix", Since: 17, New: newMel, Types: index},
	}
}

// taper is a window a - b cos(2 pi k/n) + c cos(4 pi k/n) of the size in input 0, where n is the size for a periodic one
// and the size less one for a symmetric one.
type taper struct {
	a, b, c  float64
	dtype    tensor.DType
	periodic bool
}

func taperOf(a, b, c float64) func(*graph.Attrs) (graph.Op, error) {
	return func(at *graph.Attrs) (graph.Op, error) {
		d, err := outputType(at, "output_datatype")
		return taper{a, b, c, d, at.Bool("periodic", true)}, err
	}
}

// outputType reads an attribute with a number type, float32 where it is absent.
func outputType(a *graph.Attrs, name string) (tensor.DType, error) {
	v := a.Int(name, int64(tensor.Float32))
	if v < 0 || v > math.MaxUint8 || !tensor.DType(v).Valid() {
		return 0, fmt.Errorf("attribute %s=%d is no element type", name, v)
	}
	return tensor.DType(v), checkType("attribute "+name, tensor.DType(v), numberTypes)
}

func (o taper) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	if err := wantIndex(c, 0, "size"); err != nil {
		return err
	}
	dims := anyDims(1)
	if v, ok := constInts(c, 0); ok {
		n, err := o.size(v)
		if err != nil {
			return err
		}
		dims[0] = tensor.Fixed(n)
	} else if d, ok := c.Ints(0); ok && len(d) == 1 {
		dims[0] = d[0]
	}
	c.Out(0, tensor.Ranked(o.dtype, dims))
	return nil
}

func (o taper) size(v []int64) (int, error) {
	if len(v) != 1 || v[0] < 0 || v[0] > maxTensorBytes/8 {
		return 0, fmt.Errorf("size is %v, want one number", v)
	}
	return int(v[0]), nil
}

func (o taper) Run(c *graph.RunCtx) error {
	n, err := o.size(runInts(c.In[0]))
	if err != nil {
		return err
	}
	y, err := output(c, 0, o.dtype, n)
	if err != nil {
		return err
	}
	f := make([]float64, n)
	period := float64(n)
	if !o.periodic {
		period--
	}
	for k := range f {
		t := 2 * math.Pi * float64(k) / period
		f[k] = o.a - float64(o.b*math.Cos(t)) + float64(o.c*math.Cos(2*t))
	}
	return fromFloats(y, f)
}

// mel is the matrix [frequencies bins] that brings a spectrum to triangular bins that are equally wide on the mel scale.
type mel struct{ dtype tensor.DType }

func newMel(a *graph.Attrs) (graph.Op, error) {
	d, err := outputType(a, "output_datatype")
	return mel{d}, err
}

func (o mel) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 5, 5); err != nil {
		return err
	}
	for i := range 3 {
		if err := wantIndex(c, i, "num_mel_bins, dft_length and sample_rate"); err != nil {
			return err
		}
	}
	dims := anyDims(2)
	bins, ok1 := constInts(c, 0)
	length, ok2 := constInts(c, 1)
	if ok1 && ok2 {
		if len(bins) != 1 || len(length) != 1 || bins[0] < 0 || length[0] < 0 || bins[0] > maxTensorBytes || length[0] > maxTensorBytes {
			return fmt.Errorf("num_mel_bins %v and dft_length %v, want a number each", bins, length)
		}
		dims[0], dims[1] = tensor.Fixed(int(length[0]/2+1)), tensor.Fixed(int(bins[0]))
	}
	c.Out(0, tensor.Ranked(o.dtype, dims))
	return checkDims(o.dtype, dims)
}

func (o mel) Run(c *graph.RunCtx) error {
	var v [5]float64
	for i := range v {
		f, err := toFloats(c.In[i])
		if err != nil || len(f) != 1 {
			return fmt.Errorf("input %d is %v, want one number", i, c.In[i])
		}
		v[i] = f[0]
	}
	bins, length, rate := int(v[0]), int(v[1]), v[2]
	rows := length/2 + 1
	y, err := output(c, 0, o.dtype, rows, bins)
	if err != nil {
		return err
	}
	low, high := 2595*math.Log10(1+v[3]/700), 2595*math.Log10(1+v[4]/700)
	step := (high - low) / float64(bins+2)
	edge := make([]int, bins+2)
	for i := range edge {
		hz := 700 * (math.Pow(10, (low+float64(float64(i)*step))/2595) - 1)
		e := math.Floor(float64(length+1) * hz / rate)
		if !(e >= 0) || e > float64(rows) {
			return fmt.Errorf("the edge of %v Hz is outside the spectrum", hz)
		}
		edge[i] = int(e)
	}
	f := make([]float64, y.Len())
	set := func(row, bin int, w float64) {
		if row < rows {
			f[row*bins+bin] = w
		}
	}
	for b := range bins {
		left, mid, right := edge[b], edge[b+1], edge[b+2]
		if mid == left {
			set(mid, b, 1)
		}
		for r := left; r <= mid && mid > left; r++ {
			set(r, b, float64(r-left)/float64(mid-left))
		}
		for r := mid; r < right; r++ {
			set(r, b, float64(right-r)/float64(right-mid))
		}
	}
	return fromFloats(y, f)
}
