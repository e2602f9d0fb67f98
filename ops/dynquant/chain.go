package dynquant

import (
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// FuseChains is the pass that recognises the nodes that ONNX Runtime's quantize_dynamic writes for a linear layer,
//
//	q, s, z = DynamicQuantizeLinear(x)
//	y = Mul(Cast(MatMulInteger(q, W, z, Wz)), Mul(s, Ws))
//
// and computes them as QuantizeRows and QLinear, with the same bits. Layers on one x share the QuantizeRows node.
func FuseChains() graph.Pass {
	return graph.Pass{Name: "int8-chains", Stage: graph.Fuse, Run: fuseChains,
		Doc: "DynamicQuantizeLinear, MatMulInteger, Cast and Mul to one int8 product"}
}

func fuseChains(g *graph.Graph, pc *graph.PassCtx) (changed int, err error) {
	rows := map[*graph.Value]*graph.Node{}
	for n := range pc.Nodes(g) {
		if !n.Is("Mul") {
			continue
		}
		c, ok := matchChain(pc, n)
		if !ok {
			continue
		}
		r := rows[c.x]
		if r == nil {
			if r, err = makeRows(pc, n, c.x, "onnx", nil); err != nil {
				return changed, err
			}
			pc.Insert(n, r)
			rows[c.x] = r
		}
		node, err := pc.Make(n, "qrun", "QLinear", []*graph.Value{r.Out[0], r.Out[1], r.Out[2], r.Out[3], c.w, c.scale, c.zero}, n.Out)
		if err != nil {
			return changed, err
		}
		node.Name = c.name
		pc.Replace(n, node)
		changed++
	}
	return changed, nil
}

type chain struct {
	name           string
	x              *graph.Value
	w, scale, zero *graph.Value
}

// matchChain matches the last Mul of a chain.
func matchChain(pc *graph.PassCtx, n *graph.Node) (c chain, ok bool) {
	for i := range 2 {
		cast := pc.Only(n.In[i], "Cast")
		scales := pc.MadeBy(n.In[1-i], "Mul")
		if cast == nil || scales == nil || castType(cast) != tensor.Float32 {
			continue
		}
		product := pc.Only(cast.In[0], "MatMulInteger")
		if product == nil {
			continue
		}
		if c, ok = matchProduct(pc, product, scales); ok {
			return c, true
		}
	}
	return c, false
}

func castType(n *graph.Node) tensor.DType {
	a, _ := n.Attrs.Lookup("to")
	return tensor.DType(a.I)
}

func matchProduct(pc *graph.PassCtx, product, scales *graph.Node) (c chain, ok bool) {
	dql := pc.MadeBy(product.In[0], "DynamicQuantizeLinear")
	w := product.In[1]
	if dql == nil || product.Arg(2) != dql.Out[2] || w.Const == nil || w.Const.Rank() < 2 || w.Const.Len() == 0 {
		return c, false
	}
	for i := range 2 {
		s := scales.In[1-i]
		if scales.In[i] != dql.Out[1] || s.Const == nil || s.Const.DType() != tensor.Float32 {
			continue
		}
		c = chain{name: product.Name, x: dql.In[0], w: w}
		if c.scale, ok = perColumn(pc, s, w.Const); !ok {
			return c, false
		}
		if z := product.Arg(3); z != nil {
			if c.zero, ok = perColumn(pc, z, w.Const); !ok {
				return c, false
			}
		}
		rank := dql.In[0].Spec.Rank()
		return c, rank >= 1 && w.Const.Shape()[w.Const.Rank()-2] <= maxDepth && outRank(rank, w.Const.Rank())
	}
	return c, false
}

// outRank reports whether the leading dimensions stay those of the activation, so that scales of one dimension and
// MatMulInteger's broadcasting agree with QLinear's.
func outRank(x, w int) bool { return w == 2 || x >= w }

// perColumn returns v with one dimension, when it is a constant with one element or one per column of w.
func perColumn(pc *graph.PassCtx, v *graph.Value, w *tensor.Tensor) (*graph.Value, bool) {
	t := v.Const
	if t == nil {
		return nil, false
	}
	n := w.Shape()[w.Rank()-1]
	if t.Len() != 1 && (t.Len() != n || t.Shape()[t.Rank()-1] != n) {
		return nil, false
	}
	if t.Rank() == 1 {
		return v, true
	}
	f, err := t.Reshape(t.Len())
	if err != nil {
		return nil, false
	}
	o := pc.NewValue(v.Name+"_flat", tensor.Spec{}, nil)
	pc.SetConst(o, f)
	return o, true
}
