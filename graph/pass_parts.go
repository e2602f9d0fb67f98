package graph

import (
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

const (
	maxParts     = 4  // that one product is cut into
	leastColumns = 16 // of a part
)

// splitProducts cuts a product with a constant weight of which others read nothing but parts of its columns, as packed
// queries, keys and values, or gate and values, into one product for each part. The parts are siblings, which joinSiblings
// computes in one loop, each where it is read and with an activation of its own. Their numbers stay as they were.
func splitProducts(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("MatMul") {
			continue
		}
		l, ok := pc.linearNode(n)
		if !ok {
			continue
		}
		y := n.Out[0]
		if add := pc.onlyReader(y, n); add.Is("Add") && len(add.In) == 2 {
			other := Other(add, y)
			if other == nil {
				continue
			}
			if l.bias, ok = perLast(other, y.Spec, l.cols); !ok {
				continue
			}
			y = add.Out[0]
		}
		parts, err := pc.columnParts(y, l.cols)
		if err != nil {
			return changed, err
		}
		if len(parts) < 2 {
			continue
		}
		if err := pc.emitParts(n, l, parts); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

// columnPart is what reads columns from first on.
type columnPart struct {
	node  *Node
	v     *Value
	first int
	n     int
	heads []int64 // the dimensions that v has in place of the columns; nil: the columns
}

// columnParts lists the parts that all readers of y take, nil when one of them reads something else.
func (pc *PassCtx) columnParts(y *Value, cols int) ([]columnPart, error) {
	rank := y.Spec.Rank()
	if rank < 2 || pc.listed[y] > 0 || len(pc.readers[y]) == 0 {
		return nil, nil
	}
	if r := pc.onlyReader(y, pc.maker[y]); r.Is("Reshape") {
		return pc.headParts(y, r)
	}
	var parts []columnPart
	for _, r := range pc.readers[y] {
		if pc.home[r] != pc.home[pc.maker[y]] || r.In[0] != y {
			return nil, nil
		}
		switch {
		case r.Is("Split"):
			if axis := r.IntAttr("axis", 0); axis != -1 && axis != int64(rank-1) {
				return nil, nil
			}
			first := 0
			for _, v := range r.Out {
				if v == nil || v.Spec.Rank() != rank || v.Spec.Dims[rank-1].Size < 0 {
					return nil, nil
				}
				size := v.Spec.Dims[rank-1].Size
				if pc.Needed(v) {
					parts = append(parts, columnPart{node: r, v: v, first: first, n: size})
				}
				first += size
			}
		case r.Is("Slice"):
			first, end, axis, step, ok := sliceSteps(r)
			if !ok || step != 1 || axis != -1 && axis != int64(rank-1) || r.Out[0].Spec.Rank() != rank {
				return nil, nil
			}
			end = min(end, int64(cols))
			parts = append(parts, columnPart{node: r, v: r.Out[0], first: int(first), n: int(end - first)})
		default:
			return nil, nil
		}
	}
	return fewParts(parts, cols), nil
}

// fewParts are the parts when there are some, each wide, and none twice.
func fewParts(parts []columnPart, cols int) []columnPart {
	sum := 0
	for _, p := range parts {
		if p.n < leastColumns || p.first < 0 || p.first+p.n > cols {
			return nil
		}
		sum += p.n
	}
	if len(parts) > maxParts || sum > cols {
		return nil
	}
	return parts
}

// headParts lists the parts of y that are taken from a view r of it, [..., parts, heads, size], with one index each.
func (pc *PassCtx) headParts(y *Value, r *Node) ([]columnPart, error) {
	view := r.Out[0]
	axis := y.Spec.Rank() - 1
	if view.Spec.Rank() != axis+3 || pc.listed[view] > 0 {
		return nil, nil
	}
	x, okX, err := pc.exactDims(y)
	if err != nil {
		return nil, err
	}
	w, okW, _ := pc.exactDims(view)
	if !okX || !okW || !sameExact(x[:axis], w[:axis]) || w[axis].Size < 2 || w[axis+1].Size < 1 || w[axis+2].Size < 1 {
		return nil, nil
	}
	columns := w[axis+1].Size * w[axis+2].Size
	var parts []columnPart
	for _, q := range pc.readers[view] {
		if pc.home[q] != pc.home[r] || q.In[0] != view {
			return nil, nil
		}
		last := q
		at := int64(-1)
		switch {
		case q.Is("Gather") && q.IntAttr("axis", 0) == int64(axis):
			if i, ok := Scalar(q.In[1]); ok && q.In[1].Const.Rank() == 0 {
				if at = int64(i); at < 0 {
					at += int64(w[axis].Size)
				}
			}
		case q.Is("Slice"):
			first, end, along, step, ok := sliceSteps(q)
			if last = pc.onlyReader(q.Out[0], q); ok && step == 1 && along == int64(axis) && end == first+1 && last.Is("Squeeze") && last.Out[0].Spec.Rank() == axis+2 &&
				slices.Equal(squeezed(last), []int64{int64(axis)}) {
				at = first
			}
		}
		if at < 0 || at >= int64(w[axis].Size) {
			return nil, nil
		}
		parts = append(parts, columnPart{node: last, v: last.Out[0], first: int(at) * columns, n: columns, heads: []int64{int64(w[axis+1].Size), int64(w[axis+2].Size)}})
	}
	return fewParts(parts, columns*w[axis].Size), nil
}

// squeezed lists the axes of a Squeeze.
func squeezed(n *Node) []int64 {
	axes := n.IntsAttr("axes")
	if c := n.Arg(1); c != nil && c.Const != nil {
		axes, _ = ConstInts(c.Const)
	}
	return axes
}

// sliceSteps is the range of a Slice of one axis with constants, forward from a start and to an end that count from the
// front.
func sliceSteps(n *Node) (first, end, axis, step int64, ok bool) {
	ranges := [4]int64{3: 1}
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		list := n.IntsAttr(name)
		if c := n.Arg(i + 1); c != nil {
			if c.Const == nil {
				return 0, 0, 0, 0, false
			}
			list, _ = ConstInts(c.Const)
		} else if i == 3 {
			break
		}
		if len(list) != 1 {
			return 0, 0, 0, 0, false
		}
		ranges[i] = list[0]
	}
	if ranges[0] < 0 || ranges[1] <= ranges[0] || ranges[3] < 1 || ranges[3] > math.MaxInt32 {
		return 0, 0, 0, 0, false
	}
	return ranges[0], ranges[1], ranges[2], ranges[3], true
}

// emitParts makes a product for each part of the layer l of node n, and removes what took the parts.
func (pc *PassCtx) emitParts(n *Node, l linear, parts []columnPart) error {
	for _, p := range parts {
		w := make([]float32, l.rows*p.n)
		for k := range l.rows {
			copy(w[k*p.n:(k+1)*p.n], l.w[k*l.cols+p.first:])
		}
		t, err := tensor.Of(w, l.rows, p.n)
		if err != nil {
			return err
		}
		var bias *Value
		if l.bias != nil {
			if bias, err = pc.floatList(n.Name+"_bias", l.bias[p.first:p.first+p.n]); err != nil {
				return err
			}
		}
		y := p.v
		if p.heads != nil {
			s := slicedSpec(n.Out[0].Spec)
			s.Dims[len(s.Dims)-1] = tensor.Fixed(p.n)
			y = pc.NewValue(p.v.Name+"_columns", s, nil)
		}
		if err := pc.insertProduct(n, n.Name, n.In[0], pc.NewValue(n.In[1].Name, t.Spec(), t), bias, y); err != nil {
			return err
		}
		if p.heads != nil {
			shape := append(make([]int64, y.Spec.Rank()-1), p.heads...) // zeros keep the dimensions of the input
			m, err := pc.Make(n, "", "Reshape", []*Value{y, pc.ints("heads_shape", shape...)}, []*Value{p.v})
			if err != nil {
				return err
			}
			pc.Insert(n, m)
		}
	}
	for _, p := range parts {
		if !pc.gone[p.node] {
			pc.Remove(p.node)
		}
	}
	return nil
}
