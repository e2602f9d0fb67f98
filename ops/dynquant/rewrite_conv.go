package dynquant

import (
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// minConvDepth is how many products a sum has to have, for quantizing and ordering the input to pay.
const minConvDepth = 64

// wantsConv reports whether a node is a convolution and these were asked for.
func (p *pass) wantsConv(n *graph.Node) bool {
	return n.Is("Conv") && slices.Contains(p.sel.ops, "Conv")
}

// decideConv says what becomes of a convolution.
func (p *pass) decideConv(n *graph.Node) Decision {
	d := Decision{Node: n.Name, Op: n.Type, Decision: "float32"}
	w := n.In[1].Const
	if w == nil {
		d.Reason = "the weight is not constant"
		return d
	}
	d.WeightShape, d.BytesBefore = w.Shape(), int64(len(w.Bytes()))
	d.BytesAfter = d.BytesBefore
	if d.Reason = p.refuseConv(n, w); d.Reason == "" {
		d.Decision, d.BytesAfter = "int8", int64(w.Len()+4*w.Shape()[0])
	}
	return d
}

func (p *pass) refuseConv(n *graph.Node, w *tensor.Tensor) string {
	x, shape := n.In[0].Spec, w.Shape()
	if r := p.sel.refuse(n.Name, n.Type); r != "" {
		return r
	}
	groups := int(n.IntAttr("group", 1))
	switch {
	case p.c.Half:
		return "convolutions have no float16 form"
	case w.DType() != tensor.Float32 || x.DType != tensor.Float32:
		return fmt.Sprintf("the activation is %v, the weight %v", x, w.Spec())
	case len(shape) < 3 || len(shape) > 5 || w.Len() == 0 || groups < 1 || shape[0]%groups != 0:
		return fmt.Sprintf("the weight is %v, in %d groups", w.Spec(), groups)
	case w.Len() < p.sel.min:
		return fmt.Sprintf("the weight has fewer than %d elements", p.sel.min)
	}
	m, depth := shape[0]/groups, count(shape[1:])
	switch {
	case narrowGroups(groups, m, depth) || m < 8 || depth < minConvDepth:
		return fmt.Sprintf("%d groups of %d channels with sums of %d products: int8 would not be faster", groups, m, depth)
	case depth > maxDepth:
		return fmt.Sprintf("a depth of %d overflows int32 sums, the largest is %d", depth, maxDepth)
	}
	for _, v := range tensor.View[float32](w) {
		if v-v != 0 {
			return errNotFinite.Error()
		}
	}
	return ""
}

// rewriteConv replaces a convolution by a quantized one.
func (p *pass) rewriteConv(n *graph.Node) error {
	attrs := []graph.Attr{graph.StrA("profile", p.c.Profile)}
	for _, name := range n.Attrs.Names() {
		a, _ := n.Attrs.Lookup(name)
		attrs = append(attrs, a)
	}
	node, err := p.pc.Make(n, "qrun", "QConv", n.In, n.Out, attrs...)
	if err == nil {
		p.pc.Replace(n, node)
	}
	return err
}
