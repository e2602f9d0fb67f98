package ops

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

var castTypes = slices.Concat(numberTypes, dtypes{tensor.Bool, tensor.String, tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2,
	tensor.Float8E5M2FNUZ, tensor.Float8E8M0, tensor.Float4E2M1, tensor.Int4, tensor.Uint4, tensor.Int2, tensor.Uint2})

func casts(l lib) []graph.Def {
	return []graph.Def{
		{Op: "Cast", Since: 1, New: l.newCast1, Types: castTypes},
		{Op: "Cast", Since: 6, New: l.newCast, Types: castTypes},
		{Op: "CastLike", Since: 15, New: l.newCastLike, Types: castTypes},
	}
}

// cast is Cast, or CastLike, whose target is the type of input 1 (to is Undefined then).
type cast struct {
	lib
	to       tensor.DType
	saturate bool
	mode     tensor.RoundMode // of float8e8m0
}

// newCast1 reads the target as a word, as opsets before 6 have it.
func (l lib) newCast1(a *graph.Attrs) (graph.Op, error) {
	a.Require("to")
	name := strings.ToLower(a.Str("to", ""))
	switch name {
	case "float":
		name = "float32"
	case "double":
		name = "float64"
	}
	d, ok := tensor.ParseDType(name)
	if !ok && a.Has("to") {
		return nil, fmt.Errorf("attribute to=%q is not a type", a.Str("to", ""))
	}
	return cast{lib: l, to: d, saturate: true}, nil
}

func (l lib) newCast(a *graph.Attrs) (graph.Op, error) {
	a.Require("to")
	to := a.Int("to", 1)
	if to <= 0 || to > 255 || !tensor.DType(to).Valid() {
		return nil, fmt.Errorf("attribute to=%d is not a type", to)
	}
	if !slices.Contains(castTypes, tensor.DType(to)) {
		return nil, graph.UnsupportedType("Cast to", tensor.DType(to))
	}
	o := l.castAttrs(a)
	o.to = tensor.DType(to)
	return o, nil
}

func (l lib) newCastLike(a *graph.Attrs) (graph.Op, error) { return l.castAttrs(a), nil }

func (l lib) castAttrs(a *graph.Attrs) cast {
	o := cast{lib: l, saturate: true, mode: tensor.RoundUp}
	if a.Opset >= 19 {
		o.saturate = a.Bool("saturate", true)
	}
	if a.Opset >= 24 {
		switch a.OneOf("round_mode", "up", "down", "nearest") {
		case "down":
			o.mode = tensor.RoundDown
		case "nearest":
			o.mode = tensor.RoundNearest
		}
	}
	return o
}

func (o cast) Infer(c *graph.InferCtx) error {
	want := 1
	to := o.to
	if to == tensor.Undefined {
		want, to = 2, c.In(1).DType
	}
	if err := needInputs(c, want, want); err != nil {
		return err
	}
	d, err := sameType(c, 0)
	if err != nil {
		return err
	}
	if err := checkType("input", d, castTypes); err != nil {
		return err
	}
	if err := checkType("target", to, castTypes); err != nil {
		return err
	}
	s := c.In(0)
	s.DType = to
	c.Out(0, s)
	if to == tensor.Int64 || to == tensor.Int32 {
		if dims, ok := c.Ints(0); ok && s.Rank() <= 1 {
			c.OutInts(0, dims)
		}
	}
	return nil
}

func (o cast) Run(c *graph.RunCtx) error {
	x, y := c.In[0], c.Out[0]
	from, to := x.DType(), y.DType()
	type pair [2]tensor.DType
	switch (pair{from, to}) {
	case pair{to, to}:
		tensor.Copy(y.Bytes(), x.Bytes())
		if to == tensor.String {
			copy(tensor.View[string](y), tensor.View[string](x))
		}
		return nil
	case pair{tensor.Float16, tensor.Float32}, pair{tensor.BFloat16, tensor.Float32}, pair{tensor.Float32, tensor.Float16}, pair{tensor.Float32, tensor.BFloat16}:
		return o.runHalf(c)
	case pair{tensor.Int64, tensor.Float32}:
		return runConvert[int64, float32](c)
	case pair{tensor.Int32, tensor.Float32}:
		return runConvert[int32, float32](c)
	case pair{tensor.Uint8, tensor.Float32}:
		return runConvert[uint8, float32](c)
	case pair{tensor.Float64, tensor.Float32}:
		return runConvert[float64, float32](c)
	case pair{tensor.Float32, tensor.Float64}:
		return runConvert[float32, float64](c)
	case pair{tensor.Int64, tensor.Int32}:
		return runConvert[int64, int32](c)
	case pair{tensor.Int32, tensor.Int64}:
		return runConvert[int32, int64](c)
	case pair{tensor.Bool, tensor.Float32}:
		j := graph.State[boolJob](c)
		*j = boolJob{o.lib, x.Bytes(), tensor.View[float32](y)}
		err := c.For(len(j.dst), grainCheap, j)
		*j = boolJob{}
		return err
	case pair{tensor.Bool, tensor.Int64}:
		return runMap(c, grainCheap, func() func(bool) int64 { return func(x bool) int64 { return int64(b2i(x)) } })
	case pair{tensor.Float32, tensor.Bool}:
		return runMap(c, grainCheap, func() func(float32) bool { return func(x float32) bool { return x != 0 } })
	case pair{tensor.Int64, tensor.Bool}:
		return runMap(c, grainCheap, func() func(int64) bool { return func(x int64) bool { return x != 0 } })
	}
	switch {
	case from == tensor.String:
		return o.fromStrings(y, tensor.View[string](x))
	case to == tensor.String:
		toStrings(tensor.View[string](y), x)
		return nil
	}
	j := graph.State[castJob](c)
	*j = castJob{o, x, y}
	err := c.For((y.Len()+castBlock-1)/castBlock, grainCostly/castBlock, j)
	*j = castJob{}
	return err
}

// convertJob is Go's own conversion; floats never become integers through it, since what is out of range then depends
// on the processor.
type convertJob[S, D number] struct {
	src []S
	dst []D
}

func (j *convertJob[S, D]) Do(lo, hi int) {
	dst := j.dst[lo:hi]
	for i, x := range j.src[lo:hi] {
		dst[i] = D(x)
	}
}

func runConvert[S, D interface {
	number
	tensor.Element
}](c *graph.RunCtx) error {
	j := graph.State[convertJob[S, D]](c)
	j.src, j.dst = tensor.View[S](c.In[0]), tensor.View[D](c.Out[0])
	err := c.For(len(j.dst), grainCheap, j)
	j.src, j.dst = nil, nil
	return err
}

type halfJob struct {
	lib
	half []uint16
	wide []float32
	bf   bool
	down bool // float32 to half
}

func (j *halfJob) Do(lo, hi int) {
	half, wide := j.half[lo:hi], j.wide[lo:hi]
	switch {
	case !j.bf && j.down:
		j.k.FloatToHalf(half, wide)
	case !j.bf:
		j.k.HalfToFloat(wide, half)
	case j.down:
		for i, x := range wide {
			half[i] = uint16(tensor.ToBF16(x))
		}
	default:
		for i, x := range half {
			wide[i] = tensor.BF16(x).Float32()
		}
	}
}

// boolJob makes float32 of bools, which are bytes 0 and 1.
type boolJob struct {
	lib
	src []byte
	dst []float32
}

// Do converts the elements from lo to hi.
func (j *boolJob) Do(lo, hi int) { j.k.DequantizeU8(j.dst[lo:hi], j.src[lo:hi], 1, 0) }

func (o cast) runHalf(c *graph.RunCtx) error {
	half, wide := c.In[0], c.Out[0]
	down := isHalf(wide.DType())
	if down {
		half, wide = wide, half
	}
	j := graph.State[halfJob](c)
	*j = halfJob{o.lib, tensor.View[uint16](half), tensor.View[float32](wide), half.DType() == tensor.BFloat16, down}
	err := c.For(len(j.wide), grainCheap, j)
	*j = halfJob{}
	return err
}
