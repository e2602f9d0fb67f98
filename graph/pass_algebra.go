package graph

import "math"

// maxFactors bounds how far a product is followed.
const maxFactors = 4

// factors takes the product that n (a Mul, or a Div by a constant) makes apart into a number and values, through products
// that only n reads.
func (pc *PassCtx) factors(n *Node) (c float64, vs []*Value, ok bool) {
	c = 1
	var walk func(n *Node, depth int) bool
	walk = func(n *Node, depth int) bool {
		if len(n.In) != 2 {
			return false
		}
		if n.Type == "Div" {
			d, ok := Scalar(n.In[1])
			if !ok || d == 0 {
				return false
			}
			c /= d
			return pc.factor(n.In[0], depth, &c, &vs, walk)
		}
		return pc.factor(n.In[0], depth, &c, &vs, walk) && pc.factor(n.In[1], depth, &c, &vs, walk)
	}
	ok = n.Is("Mul", "Div") && walk(n, 0)
	return c, vs, ok
}

func (pc *PassCtx) factor(v *Value, depth int, c *float64, vs *[]*Value, walk func(*Node, int) bool) bool {
	if v == nil {
		return false
	}
	if x, ok := Scalar(v); ok {
		*c *= x
		return true
	}
	if m := pc.Only(v, "Mul", "Div"); m != nil && depth < 2 {
		keep, n := *c, len(*vs)
		if walk(m, depth+1) {
			return true
		}
		*c, *vs = keep, (*vs)[:n]
	}
	*vs = append(*vs, v)
	return len(*vs) <= maxFactors
}

// degree is that of the polynomials that are recognised.
const degree = 3

// polynomial is c[0] + c[1]*x + c[2]*x^2 + c[3]*x^3.
type polynomial [degree + 1]float64

// polynomialIn is v as a polynomial in x, ok when it is one of at most degree.
func (pc *PassCtx) polynomialIn(v, x *Value, depth int) (p polynomial, ok bool) {
	if v == x {
		return polynomial{0, 1}, true
	}
	if c, isConst := Scalar(v); isConst {
		return polynomial{c}, true
	}
	m := pc.MadeBy(v, "Add", "Sub", "Mul", "Div", "Pow")
	if m == nil || len(m.In) != 2 || depth > 6 {
		return p, false
	}
	a, okA := pc.polynomialIn(m.In[0], x, depth+1)
	b, okB := pc.polynomialIn(m.In[1], x, depth+1)
	if !okA || !okB {
		return p, false
	}
	switch m.Type {
	case "Add", "Sub":
		for i := range p {
			if p[i] = a[i] + b[i]; m.Type == "Sub" {
				p[i] = a[i] - b[i]
			}
		}
		return p, true
	case "Mul":
		return a.times(b)
	}
	if b != (polynomial{b[0]}) || b[0] == 0 {
		return p, false
	}
	if m.Type == "Div" {
		return a.times(polynomial{1 / b[0]})
	}
	if k := b[0]; k != math.Trunc(k) || k < 0 || k > degree {
		return p, false
	}
	p = polynomial{1}
	for range int(b[0]) {
		if p, ok = p.times(a); !ok {
			return p, false
		}
	}
	return p, true
}

func (p polynomial) times(q polynomial) (r polynomial, ok bool) {
	for i, a := range p {
		for j, b := range q {
			switch {
			case a == 0 || b == 0:
			case i+j > degree:
				return r, false
			default:
				r[i+j] += a * b
			}
		}
	}
	return r, true
}

// near reports whether the polynomials are equal but for the digits that exporters round away.
func (p polynomial) near(q polynomial) bool {
	for i, a := range p {
		if math.Abs(a-q[i]) > 2e-3*math.Abs(q[i]) {
			return false
		}
	}
	return true
}
