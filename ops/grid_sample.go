package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func grids(l lib) []graph.Def {
	return []graph.Def{
		{Op: "GridSample", Since: 16, New: newGridSample16, Types: numberTypes},
		{Op: "GridSample", Since: 20, New: newGridSample, Types: numberTypes},
		{Op: "AffineGrid", Since: 20, New: newAffineGrid, Types: floatTypes},
	}
}

// gridSample samples [N C D1 D2 ...] at the places that a grid [N ... number of axes] names, the last axis first, from -1
// to 1 over each axis.
type gridSample struct {
	mode    string // nearest, linear or cubic
	padding string
	corners bool
}

func newGridSample16(a *graph.Attrs) (graph.Op, error) {
	o := gridSample{mode: a.OneOf("mode", "bilinear", "nearest", "bicubic")}
	switch o.mode {
	case "bilinear":
		o.mode = "linear"
	case "bicubic":
		o.mode = "cubic"
	}
	return o.rest(a), nil
}

func newGridSample(a *graph.Attrs) (graph.Op, error) {
	return gridSample{mode: a.OneOf("mode", "linear", "nearest", "cubic")}.rest(a), nil
}

func (o gridSample) rest(a *graph.Attrs) gridSample {
	o.padding = a.OneOf("padding_mode", "zeros", "border", "reflection")
	o.corners = a.Bool("align_corners", false)
	return o
}

func (o gridSample) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	x, g := c.In(0), c.In(1)
	if err := checkType("input", x.DType, numberTypes); err != nil {
		return err
	}
	if err := checkType("grid", g.DType, floatTypes); err != nil {
		return err
	}
	if !x.Ranked || !g.Ranked {
		c.Out(0, tensor.Unranked(x.DType))
		return nil
	}
	if len(x.Dims) < 3 || len(g.Dims) != len(x.Dims) {
		return fmt.Errorf("grid %v for input %v, want as many dimensions, at least 3", g, x)
	}
	if d := g.Dims[len(g.Dims)-1]; d.Known() && d.Size != len(x.Dims)-2 {
		return fmt.Errorf("grid %v for input %v, want a last axis of size %d", g, x, len(x.Dims)-2)
	}
	batch, ok := unifyDim(x.Dims[0], g.Dims[0])
	if !ok {
		return fmt.Errorf("grid %v for input %v, want the same batch", g, x)
	}
	dims := append([]tensor.Dim{batch, x.Dims[1]}, g.Dims[1:len(g.Dims)-1]...)
	c.Out(0, tensor.Ranked(x.DType, dims))
	return checkDims(x.DType, dims)
}

func (o gridSample) Run(c *graph.RunCtx) error {
	x, g := c.In[0], c.In[1]
	xs, gs := x.Shape(), g.Shape()
	shape := append([]int{xs[0], xs[1]}, gs[1:len(gs)-1]...)
	y, err := output(c, 0, x.DType(), shape...)
	if err != nil || y.Len() == 0 {
		return err
	}
	j := &gridJob{gridSample: o, dims: xs[2:], channels: xs[1], area: elemCount(xs[2:]), points: elemCount(gs[1 : len(gs)-1])}
	if j.src, err = toFloats(x); err != nil {
		return err
	}
	if j.grid, err = toFloats(g); err != nil {
		return err
	}
	if j.area == 0 {
		return fmt.Errorf("input %v has no elements to sample", x)
	}
	j.dst = make([]float64, y.Len())
	if err := c.For(xs[0]*j.points, max(1, 4096/max(j.channels, 1)), j); err != nil {
		return err
	}
	return fromFloats(y, saturate(y.DType(), j.dst))
}

// gridJob samples points of all batch entries.
type gridJob struct {
	gridSample
	src, grid, dst         []float64
	dims                   []int
	channels, area, points int
}

// Do samples the points lo <= p < hi.
func (j *gridJob) Do(lo, hi int) {
	n := len(j.dims)
	var at []int
	var weight []float64
	for p := lo; p < hi; p++ {
		b, k := p/j.points, p%j.points
		at, weight = append(at[:0], 0), append(weight[:0], 1)
		for a, size := range j.dims {
			at, weight = j.axis(at, weight, j.grid[p*n+n-1-a], size)
		}
		for c := range j.channels {
			plane := j.src[(b*j.channels+c)*j.area:][:j.area]
			sum := 0.0
			for i, w := range weight {
				if w != 0 {
					sum += float64(w * plane[at[i]])
				}
			}
			j.dst[(b*j.channels+c)*j.points+k] = sum
		}
	}
}

// axis multiplies the taps so far by those on one more axis of that size, for a place v between -1 and 1.
func (j *gridJob) axis(at []int, weight []float64, v float64, size int) ([]int, []float64) {
	n := float64(size)
	x, lo, hi := ((v+1)*n-1)/2, -0.5, n-0.5
	if j.corners {
		x, lo, hi = (v+1)/2*(n-1), 0, n-1
	}
	x = float64(float32(x)) // as float32: the nearest element depends on it
	if j.mode == "nearest" {
		x = math.RoundToEven(x)
	}
	if j.mode != "cubic" && (x < lo || x > hi) { // cubic pads the elements alone, as PyTorch does
		switch j.padding {
		case "border":
			x = min(max(x, 0), n-1)
		case "reflection":
			x = reflected(x, lo, hi)
		}
	}
	if math.IsNaN(x) || math.Abs(x) > 1<<40 {
		x = -10 // outside
	}
	base := math.Floor(x)
	taps, first := gridTaps(j.mode, x-base)
	count := len(at)
	var newAt []int
	var newWeight []float64
	for i := range count {
		for k, w := range taps {
			p, inside := j.position(int(base)+first+k, size, lo, hi)
			if !inside {
				w, p = 0, 0
			}
			newAt = append(newAt, at[i]*size+p)
			newWeight = append(newWeight, weight[i]*w)
		}
	}
	return newAt, newWeight
}

// position brings a position into the axis by the padding mode.
func (j *gridJob) position(p, size int, lo, hi float64) (int, bool) {
	if p >= 0 && p < size {
		return p, true
	}
	switch j.padding {
	case "border":
		return min(max(p, 0), size-1), true
	case "reflection":
		return min(max(int(reflected(float64(p), lo, hi)), 0), size-1), true
	}
	return 0, false
}

// gridTaps are the weights at a distance from the element below, of elements from first on.
func gridTaps(mode string, t float64) (w []float64, first int) {
	switch mode {
	case "nearest":
		return []float64{1}, 0
	case "linear":
		return []float64{1 - t, t}, 0
	}
	o := resize{a: -0.75}
	return []float64{o.cubic(t + 1), o.cubic(t), o.cubic(1 - t), o.cubic(2 - t)}, -1
}

// reflected mirrors x at lo and hi until it is between them.
func reflected(x, lo, hi float64) float64 {
	if hi <= lo {
		return lo
	}
	span := hi - lo
	d := math.Mod(math.Abs(x-lo), 2*span)
	return lo + min(d, 2*span-d)
}

// affineGrid is the grid for GridSample that a transform per batch entry makes of the places of an image of a size.
type affineGrid struct{ corners bool }

func newAffineGrid(a *graph.Attrs) (graph.Op, error) {
	return affineGrid{a.Bool("align_corners", false)}, nil
}

func (o affineGrid) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	t := c.In(0)
	if err := checkType("theta", t.DType, floatTypes); err != nil {
		return err
	}
	if err := wantType(c, 1, "size", tensor.Int64); err != nil {
		return err
	}
	size, ok := c.Ints(1)
	if !ok {
		if n := knownLen(c, 1); n >= 2 {
			c.Out(0, tensor.Ranked(t.DType, anyDims(n)))
		} else {
			c.Out(0, tensor.Unranked(t.DType))
		}
		return nil
	}
	if len(size) != 4 && len(size) != 5 {
		return fmt.Errorf("size %v, want [N C H W] or [N C D H W]", size)
	}
	n := len(size) - 2
	if err := checkSame("theta", t, []tensor.Dim{size[0], tensor.Fixed(n), tensor.Fixed(n + 1)}, true); err != nil {
		return err
	}
	dims := append(append([]tensor.Dim{size[0]}, size[2:]...), tensor.Fixed(n))
	c.Out(0, tensor.Ranked(t.DType, dims))
	return checkDims(t.DType, dims)
}

func (o affineGrid) Run(c *graph.RunCtx) error {
	size := runInts(c.In[1])
	n := len(size) - 2
	shape := []int{int(size[0])}
	for _, v := range size[2:] {
		shape = append(shape, int(v))
	}
	shape = append(shape, n)
	y, err := output(c, 0, c.In[0].DType(), shape...)
	if err != nil || y.Len() == 0 {
		return err
	}
	theta, err := toFloats(c.In[0])
	if err != nil {
		return err
	}
	dst := make([]float64, y.Len())
	points := elemCount(shape[1 : n+1])
	place := make([]float64, n+1) // the last axis first, then 1
	place[n] = 1
	for p := range shape[0] * points {
		rest := p % points
		for a := n; a >= 1; a-- {
			k, m := rest%shape[a], float64(shape[a])
			rest /= shape[a]
			if place[n-a] = (2*float64(k)+1)/m - 1; o.corners {
				if place[n-a] = -1; m > 1 {
					place[n-a] = 2*float64(k)/(m-1) - 1
				}
			}
		}
		for r := range n {
			row := theta[(p/points*n+r)*(n+1):][:n+1]
			sum := 0.0
			for i, v := range place {
				sum += float64(row[i] * v)
			}
			dst[p*n+r] = sum
		}
	}
	return fromFloats(y, dst)
}
