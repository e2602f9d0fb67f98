package graph

// fuseSoftmax finds exp(x-max(x)) / sum(exp(x-max(x))) over one axis and makes Softmax of it.
func fuseSoftmax(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		x, axis := pc.matchSoftmax(n)
		if x == nil {
			continue
		}
		m, err := pc.Make(n, "", "Softmax", []*Value{x}, n.Out, IntA("axis", axis))
		if err != nil {
			return changed, err
		}
		pc.Replace(n, m)
		changed++
	}
	return changed, nil
}

func (pc *PassCtx) matchSoftmax(n *Node) (x *Value, axis int64) {
	if !n.Is("Div") || len(n.In) != 2 {
		return nil, 0
	}
	e := pc.MadeBy(n.In[0], "Exp")
	sum := pc.Only(n.In[1], "ReduceSum")
	if e == nil || sum == nil || sum.In[0] != n.In[0] || len(pc.readers[n.In[0]]) != 2 || pc.listed[n.In[0]] > 0 {
		return nil, 0
	}
	d := pc.Only(e.In[0], "Sub")
	if d == nil {
		return nil, 0
	}
	top := pc.Only(d.In[1], "ReduceMax")
	if top == nil || top.In[0] != d.In[0] || d.In[0].Spec.Rank() < 1 {
		return nil, 0
	}
	a, okA := ReduceAxes(sum)
	b, okB := ReduceAxes(top)
	if !okA || !okB || len(a) != 1 || len(b) != 1 || a[0] != b[0] {
		return nil, 0
	}
	return d.In[0], a[0]
}
