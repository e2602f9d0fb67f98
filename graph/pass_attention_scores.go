package graph

import (
	"math"

	"github.com/qrun-onnx/qrun/tensor"
)

// scoreChain is what becomes of a product of queries and keys until the softmax: min(scale*product + masks, limit).
type scoreChain struct {
	product *Node
	scale   float64
	masks   []scoreTerm // added, the last first
	limits  []scoreTerm // bounds of the scores at that time, with the masks added after them
	flat    bool        // Reshapes between four and three dimensions are on the way
	wide    *Value      // with flat: the scores of four dimensions, nil when there are none
	narrow  *Value      // with wide: the masked scores of three dimensions again, nil when the softmax is over four
}

// scoreTerm is a mask, or one to be made: fill where cond (or where it is not) and keep elsewhere.
type scoreTerm struct {
	v     *Value
	cond  *Value
	not   bool
	fill  float32
	keep  float32
	after int  // of a limit: how many of the masks are added after it
	flat  bool // put on scores of three dimensions
}

// lowest is a number so low that adding any score to it does not change it.
const lowest = -1e30

// scoresOf follows the scores x of a softmax of that rank back to their product. Every step must be read by the next alone.
func (pc *PassCtx) scoresOf(x *Value, rank int) (c scoreChain, ok bool, err error) {
	c.scale = 1
	for scaled := false; ; {
		n := pc.step(x, "Add", "Where", "Mul", "Div", "MatMul", "Reshape")
		if n == nil || x.Spec.Rank() < 3 {
			return c, false, nil
		}
		switch {
		case n.Type == "MatMul":
			c.product = n
			return c, x.Spec.Rank() == rank, nil
		case n.Type == "Reshape":
			if ok, err := pc.changeRank(n, &c); err != nil || !ok {
				return c, false, err
			}
			x = n.In[0]
		case n.Is("Mul", "Div"):
			y, f, ok := factor(n)
			if !ok {
				return c, false, nil
			}
			x, c.scale, scaled = y, c.scale*f, true
		case scaled:
			return c, false, nil
		case n.Type == "Add":
			if x = pc.addedMask(n, &c); x == nil {
				return c, false, nil
			}
		default:
			if x, err = pc.chosenMask(n, &c); x == nil || err != nil {
				return c, false, err
			}
		}
	}
}

// step is Only for a value of which others may read the shape alone: a run does not compute a value for that.
func (pc *PassCtx) step(v *Value, types ...string) *Node {
	m := pc.MadeBy(v, types...)
	if m == nil || pc.listed[v] > 0 {
		return nil
	}
	n := 0
	for _, r := range pc.readers[v] {
		if r.Is("Shape") {
			continue
		}
		if n++; pc.home[r] != pc.home[m] {
			return nil
		}
	}
	if n != 1 {
		return nil
	}
	return m
}

// changeRank takes note of a Reshape of scores: from three dimensions to four, or, before that is met, back from them.
func (pc *PassCtx) changeRank(n *Node, c *scoreChain) (bool, error) {
	c.flat = true
	x, y := n.In[0], n.Out[0]
	switch {
	case x.Spec.Rank() == 4 && y.Spec.Rank() == 3 && c.narrow == nil && c.wide == nil:
		c.narrow = y
		return true, nil
	case x.Spec.Rank() != 3 || y.Spec.Rank() != 4 || c.wide != nil:
		return false, nil
	}
	c.wide = y
	same, err := pc.joinsFirstTwo(y, x)
	if err == nil && same && c.narrow != nil {
		return pc.joinsFirstTwo(y, c.narrow)
	}
	return same, err
}

// joinsFirstTwo reports whether y of three dimensions may be x of four with its first two joined: the others are equal.
func (pc *PassCtx) joinsFirstTwo(x, y *Value) (bool, error) {
	a, okA, err := pc.exactDims(x)
	if err != nil {
		return false, err
	}
	b, okB, _ := pc.exactDims(y)
	return okA && okB && sameExact(a[2:], b[1:]), nil
}

// factor is what a Mul or Div by a number multiplies, and by how much.
func factor(n *Node) (x *Value, c float64, ok bool) {
	x, c, ok = Operands(n)
	if !ok || n.Out[0].Spec.Rank() != x.Spec.Rank() || x.Spec.Rank() < 0 {
		return nil, 0, false
	}
	if n.Type == "Mul" {
		return x, c, true
	}
	return x, 1 / c, x == n.In[0] && c != 0
}

// addedMask takes a sum of scores and a mask apart and returns the scores.
func (pc *PassCtx) addedMask(n *Node, c *scoreChain) *Value {
	if len(n.In) != 2 {
		return nil
	}
	for i, mask := range n.In {
		x := n.In[1-i]
		if !fitsScores(mask, x, n.Out[0]) || mask.Spec.DType != tensor.Float32 || !pc.isScores(x) {
			continue
		}
		c.masks = append(c.masks, scoreTerm{v: mask, flat: x.Spec.Rank() == 3})
		return x
	}
	return nil
}

// isScores reports whether x may be scores: what makes it is a step of them.
func (pc *PassCtx) isScores(x *Value) bool {
	for range 8 {
		n := pc.step(x, "MatMul", "Mul", "Div", "Add", "Where", "Reshape")
		switch {
		case n == nil:
			return false
		case n.Type == "MatMul":
			return true
		case n.Type == "Reshape":
			x = n.In[0]
		case n.Is("Mul", "Div"):
			y, _, ok := factor(n)
			if !ok {
				return false
			}
			x = y
		case n.Type == "Where":
			y := n.In[1]
			if _, ok := Scalar(y); ok {
				y = n.In[2]
			}
			x = y
		default:
			return pc.isScores(n.In[0]) || pc.isScores(n.In[1])
		}
	}
	return false
}

// fitsScores reports whether a mask broadcasts into the scores x without giving the result y another rank.
func fitsScores(mask, x, y *Value) bool {
	return mask.Spec.Ranked && x.Spec.Ranked && len(mask.Spec.Dims) <= len(x.Spec.Dims) && y.Spec.Rank() == len(x.Spec.Dims)
}

// chosenMask takes a Where of scores and a negative number apart and returns the scores.
func (pc *PassCtx) chosenMask(n *Node, c *scoreChain) (*Value, error) {
	for i := 1; i <= 2; i++ {
		fill, ok := Scalar(n.In[i])
		x := n.In[3-i]
		if !ok || !(fill < 0) || !pc.isScores(x) || n.In[i].Const.Rank() > x.Spec.Rank() {
			continue
		}
		cond, err := pc.unexpanded(n.In[0], x)
		if err != nil || !fitsScores(cond, x, n.Out[0]) {
			return nil, err
		}
		t := scoreTerm{cond: cond, not: i == 2, fill: float32(fill), flat: x.Spec.Rank() == 3}
		if fill > lowest {
			t.keep, t.after = math.MaxFloat32, len(c.masks)
			c.limits = append(c.limits, t)
		} else {
			c.masks = append(c.masks, t)
		}
		return x, nil
	}
	return nil, nil
}

// unexpanded is a condition before it was widened to the shape of the scores x, which it is anyhow when it chooses.
func (pc *PassCtx) unexpanded(cond, x *Value) (*Value, error) {
	for {
		n := pc.MadeBy(cond, "Expand")
		if n == nil || !n.In[0].Spec.Ranked {
			return cond, nil
		}
		like := cond
		if s := pc.MadeBy(n.In[1], "Shape"); s != nil && len(s.Attrs.Names()) == 0 {
			like = s.In[0]
		}
		same, err := pc.sameExactShape(like, x)
		if err != nil || !same {
			return cond, err
		}
		cond = n.In[0]
	}
}

// alike reports whether the masks that are put on flat scores are the same for all heads and batch entries.
func (c *scoreChain) alike() bool {
	for _, list := range [][]scoreTerm{c.masks, c.limits} {
		for _, t := range list {
			v := t.v
			if v == nil {
				v = t.cond
			}
			if d := v.Spec.Dims; t.flat && len(d) > 2 && d[0].Size != 1 {
				return false
			}
		}
	}
	return true
}
