package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// grid says which scale and zero point belong to an element of a tensor: one for all, one for each index of an axis, or
// one for each block of an axis.
type grid struct {
	size, block, inner              int // of the axis, of a block of it, and the elements between two neighbours on it
	outerStep, blockStep, innerStep int
}

// newGrid checks the shape of the scales against that of the tensor. block is 0 where scales belong to the tensor or to
// an axis.
func newGrid(shape, scale []int, axis, block int) (grid, error) {
	one := true
	for _, d := range scale {
		one = one && d == 1
	}
	if one && (block == 0 || len(scale) == 0) {
		n, err := tensor.Count(shape)
		return grid{size: 1, block: 1, inner: max(n, 1)}, err
	}
	axis, err := axisIn(axis, len(shape))
	if err != nil {
		return grid{}, err
	}
	g := grid{size: shape[axis], block: max(block, 1), inner: 1, blockStep: 1}
	for _, d := range shape[axis+1:] {
		g.inner *= d
	}
	if block == 0 {
		if len(scale) != 1 || scale[0] != g.size {
			return g, fmt.Errorf("scale of shape %v, want one element or the %d of axis %d", scale, g.size, axis)
		}
		return g, nil
	}
	if len(scale) != len(shape) {
		return g, fmt.Errorf("scale of shape %v for blocks of shape %v, want as many dimensions", scale, shape)
	}
	for i, d := range shape {
		if i == axis {
			d = (d + block - 1) / block
		}
		if scale[i] != d {
			return g, fmt.Errorf("scale of shape %v for blocks of %d along axis %d of shape %v", scale, block, axis, shape)
		}
	}
	g.blockStep, g.outerStep = g.inner, g.inner*scale[axis]
	if g.inner > 1 {
		g.innerStep = 1
	}
	return g, nil
}

// run says which scale, p, belongs to element i; the next n elements, that one counted, have it too (step 0), or each
// the one after that of its neighbour (step 1).
func (g *grid) run(i int) (p, n, step int) {
	in, row := i%g.inner, i/g.inner
	d, o := row%g.size, row/g.size
	p = o*g.outerStep + d/g.block*g.blockStep + in*g.innerStep
	switch {
	case g.innerStep == 1:
		return p, g.inner - in, 1
	case g.inner == 1 && g.block == 1 && g.blockStep == 1:
		return p, g.size - d, 1
	}
	last := min(g.size, (d/g.block+1)*g.block) // index after the block
	return p, (last-d)*g.inner - in, 0
}

// spread writes the parameter of each of the elements from i on to dst.
func (g *grid) spread(dst, param []float64, i int) {
	if len(param) == 0 {
		clear(dst)
		return
	}
	for len(dst) > 0 {
		p, n, step := g.run(i)
		n = min(n, len(dst))
		if step == 1 {
			copy(dst[:n], param[p:])
		} else {
			for k := range dst[:n] {
				dst[k] = param[p]
			}
		}
		dst, i = dst[n:], i+n
	}
}

// inferGrid checks scale and zero point, inputs 1 and 2, against the tensor, input 0, as far as they are known.
func inferGrid(c *graph.InferCtx, axis, block int) error {
	x, s, z := c.In(0), c.In(1), c.In(2)
	if x.Ranked && s.Ranked {
		shape, ok := x.Shape()
		scale, known := s.Shape()
		if ok && known {
			if _, err := newGrid(shape, scale, axis, block); err != nil {
				return err
			}
		}
	}
	if c.Has(2) && z.Ranked && s.Ranked {
		if a, b := product(z.Dims), product(s.Dims); a.Known() && b.Known() && a != b {
			return fmt.Errorf("zero point %v does not fit the scale %v", z, s)
		}
	}
	return nil
}

// gridAttrs reads axis and block_size.
func gridAttrs(a *graph.Attrs, since int) (axis, block int, err error) {
	axis = 1
	if since >= 13 {
		axis = int(a.Int("axis", 1))
	}
	if since >= 21 {
		block = int(a.Int("block_size", 0))
	}
	if block < 0 {
		err = fmt.Errorf("attribute block_size is %d", block)
	}
	return axis, block, err
}
