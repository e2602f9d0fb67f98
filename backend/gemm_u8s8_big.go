package backend

import "unsafe"

// doBig is Do for a B whose column sums are beyond what the kernels' correction of zero points holds, which only a K
// above 32768 can reach: the kernels sum products, and Go does the rest.
func (g *GemmU8S8) doBig(lo, hi int) {
	raw := *g.B
	raw.big, raw.Zero, raw.zero = false, nil, nil
	sum := *g
	sum.B = &raw
	if g.CI == nil {
		sum.CI = unsafe.Slice((*int32)(pointer(g.C)), len(g.C))
	}
	sum.Do(lo, hi)
	for i := lo; i < hi; i++ {
		row0, row1 := g.plan.rows(i/g.plan.groups, g.k.u8s8.mr)
		p0, p1 := g.plan.group(i % g.plan.groups)
		col0, col1 := g.k.u8s8.span(p0, p1, g.B.N)
		for r := row0; r < row1; r++ {
			for c := col0; c < col1; c++ {
				g.correct(r, c, sum.CI[r*g.LDC+c])
			}
		}
	}
}

// correct stores the result whose sum of products is acc.
func (g *GemmU8S8) correct(r, c int, acc int32) {
	acc -= g.ZeroA[min(r, len(g.ZeroA)-1)] * g.B.sums[c]
	if g.B.zero != nil {
		acc -= g.B.zero[c] * g.RowSumA[r]
	}
	if g.CI != nil {
		g.CI[r*g.LDC+c] = acc
		return
	}
	s := g.ScaleA[min(r, len(g.ScaleA)-1)] * g.B.scale[c]
	g.C[r*g.LDC+c] = g.Epi.apply(float32(float32(acc)*s), r, c)
}
