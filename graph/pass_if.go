package graph

import "slices"

// inlineIf puts the branch that is taken of an If with a constant condition in its place.
func inlineIf(g *Graph, pc *PassCtx) (changed int, err error) {
	if !pc.Has("", "Identity") {
		return 0, nil
	}
	for n := range pc.Nodes(g) {
		if !n.Is("If") || len(n.In) != 1 {
			continue
		}
		cond, ok := scalarBool(n.In[0])
		if !ok {
			continue
		}
		name := "else_branch"
		if cond {
			name = "then_branch"
		}
		body := n.Bodies[name]
		if body == nil || pc.spliced[body] || len(body.Inputs) > 0 || len(body.Outputs) < len(n.Out) {
			continue
		}
		if err := pc.splice(g, n, body, name); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

// splice moves the nodes of a body without inputs in front of its node n in g and lets them make n's outputs.
func (pc *PassCtx) splice(g *Graph, n *Node, body *Graph, name string) error {
	pc.spliced[g] = true
	outs := slices.Clone(body.Outputs)
	for _, v := range outs {
		pc.listed[v]--
	}
	for _, m := range body.Nodes {
		pc.home[m] = g
		for _, b := range m.Bodies {
			b.Outer = g
		}
	}
	pc.before[n] = append(pc.before[n], body.Nodes...)
	delete(n.Bodies, name)
	moved := map[*Value]bool{}
	for i, o := range n.Out {
		if o == nil {
			continue
		}
		if err := pc.alias(n, o, outs[i], slices.Contains(body.Nodes, pc.maker[outs[i]]) && !moved[outs[i]]); err != nil {
			return err
		}
		moved[outs[i]] = true
	}
	pc.Remove(n)
	for _, m := range slices.Backward(body.Nodes) {
		if !pc.needed(m) {
			pc.Remove(m)
		}
	}
	return nil
}

// alias lets output o of n, which is about to go, be the value b. With rename, b's maker makes o.
func (pc *PassCtx) alias(n *Node, o, b *Value, rename bool) error {
	switch {
	case rename:
		m := pc.maker[b]
		m.Out[slices.Index(m.Out, b)] = o
		pc.maker[o] = m
		delete(pc.maker, b)
		pc.Use(b, o)
	case b.Const != nil:
		pc.SetConst(o, b.Const)
	case pc.listed[o] == 0:
		pc.Use(o, b)
	default:
		id, err := pc.Make(n, "", "Identity", []*Value{b}, []*Value{o})
		if err != nil {
			return err
		}
		pc.Insert(n, id)
	}
	return nil
}
