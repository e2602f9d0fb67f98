package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func suppressions(l lib) []graph.Def {
	return []graph.Def{
		{Op: "NonMaxSuppression", Since: 10, New: newNonMaxSuppression, Types: dtypes{tensor.Float32}},
	}
}

// nonMaxSuppression lists [batch class box] of the boxes with the highest scores, at most so many per class, that do not
// overlap a better one of their class by more than a threshold.
type nonMaxSuppression struct{ center bool }

func newNonMaxSuppression(a *graph.Attrs) (graph.Op, error) {
	return nonMaxSuppression{a.Bool("center_point_box", false)}, nil
}

func (o nonMaxSuppression) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 5); err != nil {
		return err
	}
	boxes, scores := c.In(0), c.In(1)
	for i, name := range []string{"boxes", "scores"} {
		if err := wantType(c, i, name, tensor.Float32); err != nil {
			return err
		}
	}
	if boxes.Ranked && (len(boxes.Dims) != 3 || boxes.Dims[2].Known() && boxes.Dims[2].Size != 4) || scores.Ranked && len(scores.Dims) != 3 {
		return fmt.Errorf("boxes %v and scores %v, want [batch boxes 4] and [batch classes boxes]", boxes, scores)
	}
	if boxes.Ranked && scores.Ranked {
		if err := checkSame("scores", scores, []tensor.Dim{boxes.Dims[0], tensor.AnyDim, boxes.Dims[1]}, true); err != nil {
			return err
		}
	}
	c.Out(0, tensor.Ranked(tensor.Int64, []tensor.Dim{tensor.AnyDim, tensor.Fixed(3)}))
	return nil
}

// scalarInput reads an optional scalar input.
func scalarInput(c *graph.RunCtx, i int, def float64) (float64, error) {
	if i >= len(c.In) || c.In[i] == nil || c.In[i].Len() == 0 {
		return def, nil
	}
	f, err := toFloats(c.In[i])
	if err != nil {
		return 0, err
	}
	return f[0], nil
}

func (o nonMaxSuppression) Run(c *graph.RunCtx) error {
	boxes, scores := tensor.View[float32](c.In[0]), tensor.View[float32](c.In[1])
	s := c.In[1].Shape()
	limit, err := scalarInput(c, 2, 0)
	if err != nil {
		return err
	}
	overlap, err := scalarInput(c, 3, 0)
	if err != nil {
		return err
	}
	floor, err := scalarInput(c, 4, math.Inf(-1))
	if err != nil {
		return err
	}
	var found []int64
	for b := range s[0] {
		corners := make([][4]float64, s[2])
		for i := range corners {
			corners[i] = o.corners(boxes[(b*s[2]+i)*4:][:4])
		}
		for class := range s[1] {
			for _, i := range suppress(corners, scores[(b*s[1]+class)*s[2]:][:s[2]], limit, overlap, floor) {
				found = append(found, int64(b), int64(class), int64(i))
			}
		}
	}
	y, err := output(c, 0, tensor.Int64, len(found)/3, 3)
	if err == nil {
		copy(tensor.View[int64](y), found)
	}
	return err
}

// corners brings a box to [x1 y1 x2 y2] with rising numbers.
func (o nonMaxSuppression) corners(b []float32) [4]float64 {
	if o.center {
		x, y, w, h := float64(b[0]), float64(b[1]), float64(b[2])/2, float64(b[3])/2
		return [4]float64{x - w, y - h, x + w, y + h}
	}
	x1, y1, x2, y2 := float64(b[1]), float64(b[0]), float64(b[3]), float64(b[2])
	return [4]float64{min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)}
}

func suppress(corners [][4]float64, scores []float32, limit, overlap, floor float64) []int {
	var order []int
	for i, v := range scores {
		if float64(v) > floor || math.IsInf(floor, -1) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var kept []int
	for _, i := range order {
		if float64(len(kept)) >= limit {
			break
		}
		if !slices.ContainsFunc(kept, func(k int) bool { return overlapOf(corners[i], corners[k]) > overlap }) {
			kept = append(kept, i)
		}
	}
	return kept
}

// overlapOf is the area that two boxes share, as a part of the area of both.
func overlapOf(a, b [4]float64) float64 {
	w, h := min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
	if !(w > 0) || !(h > 0) {
		return 0
	}
	both := w * h
	areaA, areaB := (a[2]-a[0])*(a[3]-a[1]), (b[2]-b[0])*(b[3]-b[1])
	if areaA <= 0 || areaB <= 0 {
		return 0
	}
	return both / (areaA + areaB - both)
}
