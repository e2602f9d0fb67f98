package dynquant

import "github.com/qrun-onnx/qrun/graph"

// runDirect adds up taps row by row, an output channel after the other.
func (st *convState) runDirect(c *graph.RunCtx) error {
	st.acc = scratch[int32](c, c.Threads()*st.width)
	return c.For(st.n*st.m, 1+16384/(st.pix*max(st.k, 1)), (*convDirect)(st))
}

// convDirect are the output planes.
type convDirect convState

func (j *convDirect) Do(lo, hi int) { j.DoAs(0, lo, hi) }

func (j *convDirect) DoAs(worker, lo, hi int) {
	st := (*convState)(j)
	acc := st.acc[worker*st.width : (worker+1)*st.width]
	perGroup := st.m / st.o.groups
	for p := lo; p < hi; p++ {
		batch, ch := p/st.m, p%st.m
		taps := st.weight.taps[ch*st.k : (ch+1)*st.k]
		x := st.x[(batch*st.c+ch/perGroup*(st.c/st.o.groups))*st.plane:]
		start := int32(0)
		for _, w := range taps {
			start -= w * st.zeroX
		}
		for r, from := range st.rowStart {
			for i := range acc {
				acc[i] = start
			}
			st.addTaps(acc, x[from:], taps)
			st.put(acc, 1, ch, p*st.pix+r*st.width, st.width)
		}
	}
}

// addTaps adds the taps of a row of output positions, three at a time.
func (st *convState) addTaps(acc []int32, x []uint8, taps []int32) {
	last := (len(acc)-1)*st.step + 1
	k := 0
	for ; k+3 <= len(taps); k += 3 {
		a, b, c := x[st.offset[k]:][:last], x[st.offset[k+1]:][:last], x[st.offset[k+2]:][:last]
		u, v, w := taps[k], taps[k+1], taps[k+2]
		if st.step == 1 {
			a, b, c = a[:len(acc)], b[:len(acc)], c[:len(acc)]
			for i := range acc {
				acc[i] += u*int32(a[i]) + v*int32(b[i]) + w*int32(c[i])
			}
			continue
		}
		for i, at := 0, 0; i < len(acc); i, at = i+1, at+st.step {
			acc[i] += u*int32(a[at]) + v*int32(b[at]) + w*int32(c[at])
		}
	}
	for ; k < len(taps); k++ {
		a, u := x[st.offset[k]:][:last], taps[k]
		for i := range acc {
			acc[i] += u * int32(a[i*st.step])
		}
	}
}
