package graph

import "github.com/qrun-onnx/qrun/tensor"

// emitMasks makes the sum of the masks and the bound of the scores in front of a node; either is nil where there is none.
// A bound that was followed by masks holds with them added: min(x, l) + m is min(x+m, l+m), also rounded.
func (pc *PassCtx) emitMasks(at *Node, c scoreChain) (mask, limit *Value, err error) {
	var terms []*Value
	for _, t := range c.masks {
		v, err := pc.emitTerm(at, t)
		if err != nil {
			return nil, nil, err
		}
		terms = append(terms, v)
	}
	for _, t := range c.limits {
		l, err := pc.emitTerm(at, t)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range terms[:t.after] {
			if l, err = pc.emitBinary(at, "Add", l, m); err != nil {
				return nil, nil, err
			}
		}
		if limit == nil {
			limit = l
		} else if limit, err = pc.emitBinary(at, "Min", limit, l); err != nil {
			return nil, nil, err
		}
	}
	for i := len(terms) - 1; i >= 0; i-- {
		if mask == nil {
			mask = terms[i]
		} else if mask, err = pc.emitBinary(at, "Add", mask, terms[i]); err != nil {
			return nil, nil, err
		}
	}
	return mask, limit, nil
}

func (pc *PassCtx) emitTerm(at *Node, t scoreTerm) (*Value, error) {
	if t.v != nil {
		return t.v, nil
	}
	yes, no := pc.number("mask_fill", t.fill), pc.number("mask_keep", t.keep)
	if t.not {
		yes, no = no, yes
	}
	v := pc.NewValue(t.cond.Name+"_mask", tensor.Ranked(tensor.Float32, t.cond.Spec.Dims), nil)
	m, err := pc.Make(at, "", "Where", []*Value{t.cond, yes, no}, []*Value{v})
	if err != nil {
		return nil, err
	}
	m.Name = at.Name + "/" + v.Name
	pc.Insert(at, m)
	return v, nil
}

func (pc *PassCtx) emitBinary(at *Node, op string, x, y *Value) (*Value, error) {
	v := pc.NewValue(x.Name+"_"+op, tensor.Unranked(tensor.Float32), nil)
	m, err := pc.Make(at, "", op, []*Value{x, y}, []*Value{v})
	if err != nil {
		return nil, err
	}
	m.Name = at.Name + "/" + v.Name
	pc.Insert(at, m)
	return v, nil
}

// number is a constant of one number.
func (pc *PassCtx) number(name string, x float32) *Value {
	return pc.NewValue(name, tensor.Spec{}, tensor.Scalar(x))
}
