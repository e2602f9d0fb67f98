package graph

import (
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// packedOperand recognises an operand that is one part of a Transpose of [batch, seq, parts, heads, size] to [parts, batch,
// heads, seq, size].
func (pc *PassCtx) packedOperand(o *headOperand) {
	part, x, ok := pc.partOf(o.v)
	if !ok {
		return
	}
	t := pc.MadeBy(x, "Transpose")
	if t == nil || !slices.Equal(permOf(t), []int64{2, 0, 3, 1, 4}) || t.In[0].Spec.Rank() != 5 {
		return
	}
	dims := t.In[0].Spec.Dims[2:]
	if dims[0].Size < 1 || dims[1].Size != o.heads || dims[2].Size < 1 {
		return
	}
	if part < 0 {
		part += dims[0].Size
	}
	if part < 0 || part >= dims[0].Size {
		return
	}
	o.v, o.packed, o.part, o.layout = nil, t.In[0], part, "bshd"
}

// partOf recognises v as entry part of x along its first dimension.
func (pc *PassCtx) partOf(v *Value) (part int, x *Value, ok bool) {
	if n := pc.MadeBy(v, "Gather"); n != nil && n.IntAttr("axis", 0) == 0 {
		i, ok := Scalar(n.In[1])
		return int(i), n.In[0], ok && n.In[1].Spec.Rank() == 0
	}
	sq := pc.MadeBy(v, "Squeeze")
	if sq == nil || sq.In[0].Spec.Rank() != 5 || v.Spec.Rank() != 4 || !squeezesFirst(sq) {
		return 0, nil, false
	}
	n := pc.MadeBy(sq.In[0], "Slice")
	if n == nil {
		return 0, nil, false
	}
	var ranges [3]int64 // starts, ends, axes
	for i, name := range []string{"starts", "ends", "axes"} {
		list := n.IntsAttr(name)
		if c := n.Arg(i + 1); c != nil && c.Const != nil {
			list, _ = ConstInts(c.Const)
		}
		if len(list) != 1 {
			return 0, nil, false
		}
		ranges[i] = list[0]
	}
	step, hasStep := Scalar(n.Arg(4))
	ok = ranges[2] == 0 && ranges[0] >= 0 && ranges[1] == ranges[0]+1 && (n.Arg(4) == nil || hasStep && step == 1)
	return int(ranges[0]), n.In[0], ok
}

func squeezesFirst(n *Node) bool {
	axes := n.IntsAttr("axes")
	if c := n.Arg(1); c != nil && c.Const != nil {
		axes, _ = ConstInts(c.Const)
	}
	return slices.Equal(axes, []int64{0}) || slices.Equal(axes, []int64{-5})
}

// mergeParts is a packed operand as [batch, seq, parts*heads, size].
func (pc *PassCtx) mergeParts(at *Node, o headOperand) (*Value, error) {
	d := o.packed.Spec.Dims
	shape, err := tensor.Of([]int64{0, 0, int64(d[2].Size * d[3].Size), int64(d[4].Size)}, 4)
	if err != nil {
		return nil, err
	}
	spec := tensor.Ranked(tensor.Float32, []tensor.Dim{d[0], d[1], tensor.Fixed(d[2].Size * d[3].Size), d[4]})
	v := pc.NewValue(o.packed.Name+"_heads", spec, nil)
	m, err := pc.Make(at, "", "Reshape", []*Value{o.packed, pc.NewValue("heads_shape", tensor.Spec{}, shape)}, []*Value{v})
	if err != nil {
		return nil, err
	}
	m.Name = at.Name + "/" + v.Name
	pc.Insert(at, m)
	return v, nil
}
