package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// broadcastSpecs is the multidirectional (numpy) broadcast of specs, with element type d. A size that is not known is
// taken to agree with the others.
func broadcastSpecs(d tensor.DType, specs ...tensor.Spec) (tensor.Spec, error) {
	rank := 0
	for _, s := range specs {
		if !s.Ranked {
			return tensor.Unranked(d), nil
		}
		rank = max(rank, len(s.Dims))
	}
	dims := make([]tensor.Dim, rank)
	for i := range dims {
		dims[i] = tensor.Fixed(1)
	}
	for _, s := range specs {
		for i, y := range s.Dims {
			at := rank - len(s.Dims) + i
			z, ok := broadcastDim(dims[at], y)
			if !ok {
				return tensor.Spec{}, fmt.Errorf("cannot broadcast %s", specList(specs))
			}
			dims[at] = z
		}
	}
	return tensor.Ranked(d, dims), nil
}

func broadcastDim(x, y tensor.Dim) (tensor.Dim, bool) {
	switch {
	case x.Size == 1:
		return y, true
	case y.Size == 1 || x == y:
		return x, true
	case x.Known() && y.Known():
		return x, false
	case x.Known():
		return x, true
	case y.Known():
		return y, true
	}
	return tensor.AnyDim, true
}

func specList(specs []tensor.Spec) string {
	s := ""
	for i, x := range specs {
		if i > 0 {
			s += " and "
		}
		s += x.String()
	}
	return s
}

// inputSpecs lists the specs of all inputs.
func inputSpecs(c *graph.InferCtx) []tensor.Spec {
	specs := make([]tensor.Spec, c.NumIn())
	for i := range specs {
		specs[i] = c.In(i)
	}
	return specs
}

const maxOperands = 3

// plan is how to walk the elements of a broadcast result: adjacent dimensions over which every operand either moves or
// stands still are one, so that the innermost run is as long as it can be. Operands are dense and row-major.
type plan struct {
	dims   []int              // of the result, innermost first
	stride [maxOperands][]int // per operand and dimension, in elements; 0 where the operand is repeated
}

// init plans for a result of shape out; the operands' shapes broadcast to it. It keeps the slices of an earlier plan.
func (p *plan) init(out []int, in ...[]int) {
	p.dims = p.dims[:0]
	for o := range p.stride {
		p.stride[o] = p.stride[o][:0]
	}
	var step [maxOperands]int
	for o := range in {
		step[o] = 1
	}
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] == 1 {
			continue
		}
		var s [maxOperands]int
		for o, shape := range in {
			at := i - len(out) + len(shape)
			if at >= 0 && shape[at] != 1 {
				s[o] = step[o]
				step[o] *= shape[at]
			}
		}
		last := len(p.dims) - 1
		merge := last >= 0
		for o := range in {
			merge = merge && (s[o] == 0) == (p.stride[o][last] == 0)
		}
		if merge {
			p.dims[last] *= out[i]
			continue
		}
		p.dims = append(p.dims, out[i])
		for o := range p.stride {
			p.stride[o] = append(p.stride[o], s[o])
		}
	}
	if len(p.dims) == 0 {
		p.dims = append(p.dims, 1)
		for o := range p.stride {
			p.stride[o] = append(p.stride[o], 0)
		}
	}
}

// each calls f for the innermost runs that make up the elements lo <= i < hi of the result: at is the first element of
// the run, n its length, and off where each operand starts.
func (p *plan) each(lo, hi int, f func(at, n int, off [maxOperands]int)) {
	if lo >= hi {
		return
	}
	var buf [8]int
	idx := append(buf[:0], p.dims...)
	var base, off [maxOperands]int
	row, skip := lo/p.dims[0], lo%p.dims[0]
	for d := 1; d < len(idx); d++ {
		idx[d] = row % p.dims[d]
		row /= p.dims[d]
		for o := range base {
			base[o] += idx[d] * p.stride[o][d]
		}
	}
	for at := lo; at < hi; {
		n := min(p.dims[0]-skip, hi-at)
		for o := range off {
			off[o] = base[o] + skip*p.stride[o][0]
		}
		f(at, n, off)
		at, skip = at+n, 0
		for d := 1; d < len(idx); d++ {
			idx[d]++
			for o := range base {
				base[o] += p.stride[o][d]
			}
			if idx[d] < p.dims[d] {
				break
			}
			for o := range base {
				base[o] -= idx[d] * p.stride[o][d]
			}
			idx[d] = 0
		}
	}
}

// operand is the part of an operand that belongs to a run of n elements at off: one element when the operand is repeated.
func operand[T any](s []T, off, n, stride int) []T {
	if stride == 0 {
		return s[off : off+1]
	}
	return s[off : off+n]
}
