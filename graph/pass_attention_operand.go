package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// headOperand is where an operand of an attention comes from.
type headOperand struct {
	v       *Value // nil: reshaped from packed
	layout  string
	packed  *Value // [batch, seq, parts, heads, size], of which part is read
	part    int
	heads   int     // of v, -1 when not known
	repeats int     // how often each head is read by queries, which v does not repeat
	scale   float64 // what v is multiplied with
	view    *Node   // a Reshape that makes v of a multiple of from
	from    *Value
}

// headWalk says how the dimensions of operands stand for [batch, heads, seq, size].
type headWalk struct {
	flat  bool         // three dimensions, which are a view of four: [batch*heads, seq, size]
	lift  bool         // three dimensions: [heads, seq, size], of a batch of one
	heads []tensor.Dim // with flat: batch and heads, as the first operand has them
}

// The layouts of an operand, by how the product's operand is a transpose of it.
var (
	rowLayouts = map[string]string{"0123": "bhsd", "0213": "bshd"}
	keyLayouts = map[string]string{"0132": "bhsd", "0231": "bshd", "0123": "bhds"}
)

// headOperand finds the value that an operand of a product is a transpose of, and the factor that it is multiplied with.
func (pc *PassCtx) headOperand(v *Value, layouts map[string]string, scaled bool, w *headWalk) (o headOperand, ok bool, err error) {
	scale := 1.0
	perm := []int64{0, 1, 2, 3}
	rank := 4
	if w.flat || w.lift {
		rank = 3
	}
	for v.Spec.Rank() == rank {
		if layout := layouts[permKey(perm)]; layout != "" && (rank == 4 || w.lift) {
			o, ok = headOperand{v: v, layout: layout, scale: scale}, true
		}
		if rank == 3 && w.flat {
			if x, err := pc.unflattened(v, w); err != nil {
				return o, false, err
			} else if x != nil && perm[0] == 0 && perm[1] == 1 {
				v, rank = x, 4
				continue
			}
		}
		next, p, c, err := pc.headStep(v, scaled, rank)
		if err != nil {
			return o, false, err
		}
		if next == nil || len(p) != rank {
			break
		}
		q := make([]int64, 4)
		for i, k := range perm {
			q[i] = k
			if j := k - int64(4-rank); j >= 0 {
				q[i] = p[j] + int64(4-rank)
			}
		}
		v, perm, scale = next, q, scale*c
	}
	if !ok {
		return o, false, nil
	}
	pc.finishOperand(&o, scaled, w)
	return o, true, nil
}

// finishOperand looks behind the Reshape that makes an operand, and counts its heads.
func (pc *PassCtx) finishOperand(o *headOperand, scaled bool, w *headWalk) {
	at := 1
	if o.layout == "bshd" {
		at = 2
	}
	if w.lift {
		o.heads = o.v.Spec.Dims[at-1].Size
		return
	}
	if o.heads = o.v.Spec.Dims[at].Size; o.layout == "bhsd" {
		if pc.packedOperand(o); o.packed != nil {
			return
		}
		pc.repeatedHeads(o)
	}
	if r := pc.Only(o.v, "Reshape"); r != nil && scaled {
		if m := pc.Only(r.In[0], "Mul", "Div"); m != nil {
			if x, c, ok := factor(m); ok {
				o.view, o.from = r, x
				o.scale *= c
			}
		}
	}
}

func permKey(perm []int64) string {
	b := make([]byte, len(perm))
	for i, k := range perm {
		b[i] = '0' + byte(k)
	}
	return string(b)
}

// headStep is what v is a transpose, or with scaled a multiple, of.
func (pc *PassCtx) headStep(v *Value, scaled bool, rank int) (x *Value, perm []int64, c float64, err error) {
	same := []int64{0, 1, 2, 3}
	if n := pc.MadeBy(v, "Mul", "Div"); n != nil && scaled {
		if x, c, ok := factor(n); ok {
			return x, same[:rank], c, nil
		}
	}
	if n := pc.MadeBy(v, "Transpose"); n != nil {
		return n.In[0], permOf(n), 1, nil
	}
	if rank == 3 {
		return nil, nil, 1, nil
	}
	x, err = pc.flatTransposed(v)
	return x, []int64{0, 1, 3, 2}, 1, err
}

// unflattened is the value of four dimensions of which v joins the first two, nil when there is none or when these two are
// not those of the operands before.
func (pc *PassCtx) unflattened(v *Value, w *headWalk) (*Value, error) {
	r := pc.MadeBy(v, "Reshape")
	if r == nil || r.In[0].Spec.Rank() != 4 {
		return nil, nil
	}
	x, okX, err := pc.exactDims(r.In[0])
	if err != nil {
		return nil, err
	}
	y, okY, _ := pc.exactDims(v)
	if !okX || !okY || !sameExact(x[2:], y[1:]) {
		return nil, nil
	}
	if w.heads == nil {
		w.heads = x[:2]
	}
	if !sameExact(w.heads, x[:2]) {
		return nil, nil
	}
	return r.In[0], nil
}

// flatTransposed recognises the exchange of the last two dimensions of four between two Reshapes, as [batch*heads, seq,
// size], and returns what is transposed.
func (pc *PassCtx) flatTransposed(v *Value) (*Value, error) {
	after := pc.MadeBy(v, "Reshape")
	if after == nil {
		return nil, nil
	}
	t := pc.MadeBy(after.In[0], "Transpose")
	if t == nil || !slices.Equal(permOf(t), []int64{0, 2, 1}) {
		return nil, nil
	}
	before := pc.MadeBy(t.In[0], "Reshape")
	if before == nil || before.In[0].Spec.Rank() != 4 {
		return nil, nil
	}
	x, okX, err := pc.exactDims(before.In[0])
	if err != nil {
		return nil, err
	}
	flat, okFlat, _ := pc.exactDims(before.Out[0])
	y, okY, _ := pc.exactDims(v)
	if !okX || !okFlat || !okY || !sameExact(flat[1:], x[2:]) || !sameExact(y, []tensor.Dim{x[0], x[1], x[3], x[2]}) {
		return nil, nil
	}
	return before.In[0], nil
}

// repeatedHeads recognises heads that each come from one of fewer: [batch, heads, seq, size] with a dimension put behind
// the heads, widened and joined with them.
func (pc *PassCtx) repeatedHeads(o *headOperand) {
	after := pc.MadeBy(o.v, "Reshape")
	if after == nil {
		return
	}
	wide := pc.MadeBy(after.In[0], "Expand", "Tile")
	if wide == nil || wide.Out[0].Spec.Rank() != 5 {
		return
	}
	before := pc.MadeBy(wide.In[0], "Unsqueeze", "Reshape")
	if before == nil || before.In[0].Spec.Rank() != 4 {
		return
	}
	x, okX, errX := pc.exactDims(before.In[0])
	w, okW, _ := pc.exactDims(wide.Out[0])
	one, okOne, _ := pc.exactDims(wide.In[0])
	y, okY, _ := pc.exactDims(o.v)
	if errX != nil || !okX || !okW || !okOne || !okY || x[1].Size < 1 || w[2].Size < 1 {
		return
	}
	n := w[2].Size
	if !sameExact(one, []tensor.Dim{x[0], x[1], tensor.Fixed(1), x[2], x[3]}) || !sameExact(w, []tensor.Dim{x[0], x[1], w[2], x[2], x[3]}) ||
		!sameExact(y, []tensor.Dim{x[0], tensor.Fixed(x[1].Size * n), x[2], x[3]}) {
		return
	}
	o.v, o.heads, o.repeats = before.In[0], x[1].Size, n
}

// operandValue is the input of the operator for an operand.
func (pc *PassCtx) operandValue(at *Node, o headOperand, lift bool) (*Value, error) {
	switch {
	case o.packed != nil:
		return pc.mergeParts(at, o)
	case o.view != nil:
		v := pc.NewValue(o.v.Name+"_plain", o.v.Spec, nil)
		m, err := pc.rebuild(o.view, "", "Reshape", append([]*Value{o.from}, o.view.In[1:]...), []*Value{v})
		if err != nil {
			return nil, err
		}
		pc.Insert(at, m)
		return v, nil
	case !lift:
		return o.v, nil
	}
	spec := tensor.Ranked(tensor.Float32, slices.Concat([]tensor.Dim{tensor.Fixed(1)}, o.v.Spec.Dims))
	v := pc.NewValue(o.v.Name+"_batch", spec, nil)
	m, err := pc.Make(at, "", "Unsqueeze", []*Value{o.v, pc.ints("axes", 0)}, []*Value{v})
	if err != nil {
		return nil, err
	}
	m.Name = at.Name + "/" + v.Name
	pc.Insert(at, m)
	return v, nil
}
