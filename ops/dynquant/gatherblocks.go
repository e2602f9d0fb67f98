package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) gatherBlocks() []graph.Def {
	types := []tensor.DType{tensor.Uint8, tensor.Uint4, tensor.Int4}
	return []graph.Def{{Domain: microsoft, Op: "GatherBlockQuantized", Since: 1, New: newGatherBlocks, Types: types}}
}

// gatherBlocks gathers slices of data along an axis and dequantizes them: (code - zero)*scale with a scale, and a zero
// point, for each block along quantize_axis. Inputs: data, indices, scales, zero points. Data of type uint8 holds codes
// of 8 bits, or of 4 with two in a byte of the last dimension, whose zero point is half of the range where none is given
// (0 for uint4 and int4).
type gatherBlocks struct {
	axis, quantAxis, block, bits int
}

func newGatherBlocks(a *graph.Attrs) (graph.Op, error) {
	a.Only("bits", 4, 8)
	o := &gatherBlocks{axis: int(a.Int("gather_axis", 0)), quantAxis: int(a.Int("quantize_axis", 1)), block: int(a.Int("block_size", 128)), bits: int(a.Int("bits", 4))}
	if o.block < 1 {
		return nil, fmt.Errorf("attribute block_size is %d", o.block)
	}
	return o, nil
}

// packed says how many codes a byte of the data holds that counts as one element.
func (o *gatherBlocks) packed(d tensor.DType) int {
	if d == tensor.Uint8 && o.bits == 4 {
		return 2
	}
	return 1
}

func (o *gatherBlocks) Infer(c *graph.InferCtx) error {
	if err := wantInputs(c, 3, 4); err != nil {
		return err
	}
	if err := wantType(c, 0, "quantized data", tensor.Uint8, tensor.Uint4, tensor.Int4); err != nil {
		return err
	}
	if err := wantType(c, 1, "indices", tensor.Int32, tensor.Int64); err != nil {
		return err
	}
	if err := wantType(c, 2, "scales", scaleTypes...); err != nil {
		return err
	}
	if err := wantSameType(c, 0, 3, "data and zero points"); err != nil {
		return err
	}
	x, idx, s := c.In(0), c.In(1), c.In(2)
	if !x.Ranked || !idx.Ranked || !s.Ranked {
		c.Out(0, tensor.Unranked(s.DType))
		return nil
	}
	axis, err := axisIn(o.axis, len(x.Dims))
	if err != nil {
		return err
	}
	if _, err := axisIn(o.quantAxis, len(x.Dims)); err != nil {
		return err
	}
	dims := o.codeDims(x)
	if shape, ok := tensor.Ranked(x.DType, dims).Shape(); ok && s.Complete() {
		scale, _ := s.Shape()
		if _, err := newGrid(shape, scale, o.quantAxis, o.block); err != nil {
			return err
		}
		if z := c.In(3); c.Has(3) && z.Complete() && product(o.codeDims(z)).Size < count(scale) {
			return fmt.Errorf("zero points %v do not fit the scales %v", z, s)
		}
	}
	out := append(append(append([]tensor.Dim{}, dims[:axis]...), idx.Dims...), dims[axis+1:]...)
	c.Out(0, tensor.Ranked(s.DType, out))
	return nil
}

// codeDims are the dimensions of data or zero points counted in codes.
func (o *gatherBlocks) codeDims(x tensor.Spec) []tensor.Dim {
	dims := append([]tensor.Dim{}, x.Dims...)
	if n := len(dims); n > 0 && dims[n-1].Known() {
		dims[n-1].Size *= o.packed(x.DType)
	}
	return dims
}

// gatherBlocksJob writes slices of the result: what one index selects.
type gatherBlocksJob struct {
	x, y        *tensor.Tensor // x as codes
	grid        grid
	index       []int64
	scale, zero []float64
	defaultZero float64
	size, inner int // of the gathered axis, and elements of a slice
}

func (o *gatherBlocks) Run(c *graph.RunCtx) error {
	x, s, y := c.In[0], c.In[2], c.Out[0]
	shape := append([]int{}, x.Shape()...)
	shape[len(shape)-1] *= o.packed(x.DType())
	axis, err := axisIn(o.axis, len(shape))
	if err != nil {
		return err
	}
	j := graph.State[gatherBlocksJob](c)
	defer func() { *j = gatherBlocksJob{} }()
	*j = gatherBlocksJob{y: y, size: shape[axis], inner: count(shape[axis+1:]), scale: scratch[float64](c, s.Len())}
	if j.grid, err = newGrid(shape, s.Shape(), o.quantAxis, o.block); err != nil {
		return err
	}
	if j.x, err = o.codes(x, shape); err != nil {
		return err
	}
	decode(j.scale, s, 0)
	if z := at(c.In, 3); z != nil {
		if err := o.zeros(c, j, z, s.Shape()); err != nil {
			return err
		}
	} else if x.DType() == tensor.Uint8 {
		j.defaultZero = float64(int(1) << (o.bits - 1))
	}
	j.index, _ = graph.ConstInts(c.In[1])
	for _, i := range j.index {
		if i < -int64(j.size) || i >= int64(j.size) {
			return fmt.Errorf("index %d is out of range for size %d", i, j.size)
		}
	}
	if y.Len() == 0 {
		return nil
	}
	return c.For(y.Len()/j.inner, 1+4096/j.inner, j)
}

// codes is a view of data as codes of their type.
func (o *gatherBlocks) codes(x *tensor.Tensor, shape []int) (*tensor.Tensor, error) {
	if o.packed(x.DType()) == 1 {
		return x, nil
	}
	return tensor.FromBytes(tensor.Uint4, x.Bytes(), shape...)
}

// zeros reads zero points: of packed data, each row of the last dimension fills whole bytes.
func (o *gatherBlocks) zeros(c *graph.RunCtx, j *gatherBlocksJob, z *tensor.Tensor, scale []int) error {
	n := count(scale)
	j.zero = scratch[float64](c, n)
	if o.packed(z.DType()) == 1 {
		decode(j.zero, z, 0)
		return nil
	}
	codes, err := tensor.FromBytes(tensor.Uint4, z.Bytes(), 2*z.Len())
	if err != nil {
		return err
	}
	width := scale[len(scale)-1]
	for r := range n / max(width, 1) {
		decode(j.zero[r*width:(r+1)*width], codes, r*((width+1)&^1))
	}
	return nil
}

func (j *gatherBlocksJob) Do(lo, hi int) {
	var xs, ss, zs [quantizeChunk]float64
	for r := lo; r < hi; r++ {
		i := int(j.index[r%len(j.index)])
		if i < 0 {
			i += j.size
		}
		from := (r/len(j.index)*j.size + i) * j.inner
		for at := 0; at < j.inner; at += quantizeChunk {
			n := min(quantizeChunk, j.inner-at)
			x, s, z := xs[:n], ss[:n], zs[:n]
			decode(x, j.x, from+at)
			j.grid.spread(s, j.scale, from+at)
			j.grid.spread(z, j.zero, from+at)
			for k, v := range x {
				x[k] = float64(float32(v-z[k]-j.defaultZero) * float32(s[k]))
			}
			encode(j.y, r*j.inner+at, x, false)
		}
	}
}
