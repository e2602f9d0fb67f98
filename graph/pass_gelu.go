package graph

import "math"

// fuseGelu finds x/2 * (1 + erf(x/sqrt 2)) and its tanh approximation, in whatever order the products are written, and makes
// the operator Gelu of them.
func fuseGelu(g *Graph, pc *PassCtx) (changed int, err error) {
	if !pc.Has("", "Gelu") {
		return 0, nil
	}
	for n := range pc.Nodes(g) {
		x, approximate := pc.matchGelu(n)
		if x == nil {
			continue
		}
		m, err := pc.Make(n, "", "Gelu", []*Value{x}, n.Out, StrA("approximate", approximate))
		if err != nil {
			return changed, err
		}
		pc.Replace(n, m)
		changed++
	}
	return changed, nil
}

// matchGelu is the argument of the function that n is the last node of, nil if it is none.
func (pc *PassCtx) matchGelu(n *Node) (x *Value, approximate string) {
	c, vs, ok := pc.factors(n)
	if !ok || len(vs) != 2 || math.Abs(c-0.5) > 1e-3 {
		return nil, ""
	}
	for i, v := range vs {
		x := vs[1-i]
		inner := pc.Maker(With(pc.Only(v, "Add"), 1))
		if !inner.Is("Erf", "Tanh") {
			continue
		}
		p, ok := pc.polynomialIn(inner.In[0], x, 0)
		switch k := math.Sqrt(2 / math.Pi); {
		case ok && inner.Type == "Erf" && p.near(polynomial{0, math.Sqrt2 / 2}):
			return x, "none"
		case ok && inner.Type == "Tanh" && p.near(polynomial{0, k, 0, k * 0.044715}):
			return x, "tanh"
		}
	}
	return nil, ""
}

// fuseSilu finds x * sigmoid(x) and x * sigmoid(alpha*x) and makes qrun's Silu and QuickGelu of them.
func fuseSilu(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Mul") || len(n.In) != 2 {
			continue
		}
		for i, v := range n.In {
			s := pc.Only(v, "Sigmoid")
			if s == nil {
				continue
			}
			x := n.In[1-i]
			p, ok := pc.polynomialIn(s.In[0], x, 0)
			if !ok || p != (polynomial{0, p[1]}) {
				continue
			}
			op, attrs := "Silu", []Attr(nil)
			if p[1] != 1 {
				op, attrs = "QuickGelu", []Attr{FloatA("alpha", float32(p[1]))}
			}
			if !pc.Has("qrun", op) {
				continue
			}
			m, err := pc.Make(n, "qrun", op, []*Value{x}, n.Out, attrs...)
			if err != nil {
				return changed, err
			}
			pc.Replace(n, m)
			changed++
			break
		}
	}
	return changed, nil
}

// fuseHard finds clip(x+3, 0, 6)/6 and x times that, and makes HardSigmoid and qrun's HardSwish of them; HardSwish too of x
// times a HardSigmoid of these parameters.
func fuseHard(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		domain, op, x, attrs := pc.matchHard(n)
		if x == nil || !pc.Has(domain, op) {
			continue
		}
		m, err := pc.Make(n, domain, op, []*Value{x}, n.Out, attrs...)
		if err != nil {
			return changed, err
		}
		pc.Replace(n, m)
		changed++
	}
	return changed, nil
}

func (pc *PassCtx) matchHard(n *Node) (domain, op string, x *Value, attrs []Attr) {
	c, vs, ok := pc.factors(n)
	if !ok {
		return "", "", nil, nil
	}
	sixth := math.Abs(c-1./6) < 1e-4
	switch {
	case len(vs) == 1 && sixth:
		if x := pc.clipPlus3(vs[0]); x != nil {
			return "", "HardSigmoid", x, []Attr{FloatA("alpha", 1./6), FloatA("beta", 0.5)}
		}
	case len(vs) == 2:
		for i, v := range vs {
			x := vs[1-i]
			if sixth && pc.clipPlus3(v) == x {
				return "qrun", "HardSwish", x, nil
			}
			h := pc.Only(v, "HardSigmoid")
			if c == 1 && h != nil && h.In[0] == x && math.Abs(float64(h.FloatAttr("alpha", 0.2))-1./6) < 1e-4 && h.FloatAttr("beta", 0.5) == 0.5 {
				return "qrun", "HardSwish", x, nil
			}
		}
	}
	return "", "", nil, nil
}

// clipPlus3 is the x of v = clip(x+3, 0, 6) that one node reads, else nil.
func (pc *PassCtx) clipPlus3(v *Value) *Value {
	n := pc.Only(v, "Clip", "Min")
	if n == nil {
		return nil
	}
	lo, hi, ok := clipBounds(n)
	from := n.In[0]
	if n.Type == "Min" {
		if m := pc.MadeBy(With(n, 6), "Max"); m != nil {
			from, lo, hi, ok = With(m, 0), 0, 6, true
		}
	}
	if !ok || lo != 0 || hi != 6 {
		return nil
	}
	return With(pc.MadeBy(from, "Add"), 3)
}

// clipBounds are the limits of a Clip when they are constants; an absent one is infinite.
func clipBounds(n *Node) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if !n.Is("Clip") {
		return lo, hi, false
	}
	if n.Attrs.Opset < 11 {
		return float64(n.FloatAttr("min", -math.MaxFloat32)), float64(n.FloatAttr("max", math.MaxFloat32)), true
	}
	ok = true
	if v := n.Arg(1); v != nil {
		lo, ok = Scalar(v)
	}
	if v := n.Arg(2); v != nil && ok {
		hi, ok = Scalar(v)
	}
	return lo, hi, ok
}
