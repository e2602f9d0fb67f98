package ops

import "github.com/qrun-onnx/qrun/graph"

// joinPast appends the job's keys and values to past ones, [batch, kvHeads, past, size], and lets it read the whole. The
// whole is written to present where that is wanted.
func (j *attention) joinPast(c *graph.RunCtx, past int, old, present [2][]float32) {
	for i, v := range []*headView{&j.key, &j.val} {
		size, out := []int{j.d, j.dv}[i], present[i]
		if past == 0 && out == nil {
			continue
		}
		if out == nil {
			out = floatScratch(c, j.batch*j.kvHeads*(past+j.sk)*size)
		}
		joined, before := bhs(out, j.kvHeads, past+j.sk, size), bhs(old[i], j.kvHeads, past, size)
		for b := range j.batch {
			for h := range j.kvHeads {
				dst := joined.at(b, h, 0)
				if past > 0 {
					copy(dst[:past*size], before.at(b, h, 0))
				}
				for s := range j.sk {
					copy(dst[(past+s)*size:(past+s+1)*size], v.at(b, h, s))
				}
			}
		}
		*v = joined
	}
	j.sk += past
}
