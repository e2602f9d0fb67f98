package ops

import (
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
)

// headView is where the vectors of a query, key, value or result lie: entry b, head h, position s starts at
// b*batch + h*head + s*row.
type headView struct {
	data             []float32
	batch, head, row int
}

func (v *headView) at(b, h, s int) []float32 { return v.data[b*v.batch+h*v.head+s*v.row:] }

// bsh is the view of [batch, seq, heads*size].
func bsh(data []float32, seq, heads, size int) headView {
	return headView{data, seq * heads * size, size, heads * size}
}

// bhs is the view of [batch, heads, seq, size].
func bhs(data []float32, heads, seq, size int) headView {
	return headView{data, heads * seq * size, seq * size, size}
}

// scoreStage says which scores an attention also returns.
type scoreStage uint8

const (
	scoreNone scoreStage = iota
	scoreRaw
	scoreCapped
	scoreMasked
	scoreProb
)

// blindRule says what a query gives that sees no key: whose scores are all -Inf, so that their softmax is NaN.
type blindRule uint8

const (
	blindZero    blindRule = iota // zeros where the mask hides all keys
	blindNaN                      // NaN, as the softmax has it
	blindNaNZero                  // zeros wherever the softmax is NaN
)

// attention is the job of scaled dot-product attention, softmax(cap(scale*Q*K^T) + mask)*V, for each batch entry and
// head; heads/kvHeads query heads share a key and a value head.
// Its parts are a batch entry, a share of the query positions and a key head; whoever takes one packs the keys and
// values into memory of its own. Start it with run.
type attention struct {
	k                     *backend.Kernels
	batch, heads, kvHeads int
	sq, sk, d, dv         int
	q, key, val, out      headView
	keyT                  bool // the keys are d rows of sk, key.row apart
	scale, softcap        float32
	mask                  []float32 // added to the scores; nil: none
	maskB, maskH, maskS   int       // distances of its entries, 0 where it is repeated; positions of keys are adjacent
	limit                 scoreLimit
	ends                  []int // per batch entry: the number of keys that take part; nil: all
	causal                bool  // query i sees keys up to i+offset
	offset                int
	offsets               []int // per batch entry, in place of offset
	window                int   // with causal: at most so many keys, 0: no limit
	scores                []float32
	stage                 scoreStage
	blind                 blindRule

	share, shares int
	rows          int // query positions at a time
	slots         []attentionSlot
	scratch       []float32
	lens          [3]int // of a slot's scratch: keys, values, scores
}

type attentionSlot struct {
	gemm     backend.GemmF32
	key, val backend.PackedF32
	rows     backend.Rows
}

const (
	attentionScores = 48 << 10  // scores that are computed at a time, which stay in the second-level cache
	attentionWork   = 512 << 10 // multiplications that are worth another goroutine
)

func (j *attention) run(c *graph.RunCtx) error {
	units := j.batch * j.kvHeads
	if units == 0 || j.sq == 0 {
		return nil
	}
	threads := min(c.Threads(), 1+j.batch*j.heads*j.sq*j.sk*(j.d+j.dv)/attentionWork)
	j.shares = 1
	if threads > 1 && units < 2*threads {
		j.shares = min((2*threads+units-1)/units, (j.sq+31)/32)
	}
	j.share = (j.sq + j.shares - 1) / j.shares
	j.rows = min(j.share, max(8, attentionScores/max(j.sk, 1)&^7))
	j.lens = [3]int{align16(j.k.PackedF32Len(j.d, j.sk)), align16(j.k.PackedF32Len(j.sk, j.dv)), align16(j.rows * j.sk)}
	slots, grain := 1, units*j.shares
	if threads > 1 {
		slots, grain = c.Threads(), 1
	}
	j.scratch = floatScratch(c, slots*(j.lens[0]+j.lens[1]+j.lens[2]))
	if cap(j.slots) < slots {
		j.slots = make([]attentionSlot, slots)
	}
	j.slots = j.slots[:slots]
	err := c.For(units*j.shares, grain, j)
	clear(j.slots)
	j.q, j.key, j.val, j.out = headView{}, headView{}, headView{}, headView{}
	j.mask, j.limit.data, j.scores, j.scratch, j.ends, j.offsets = nil, nil, nil, nil, nil, nil
	return err
}

func align16(n int) int { return (n + 15) &^ 15 }

// Do computes parts lo to hi.
func (j *attention) Do(lo, hi int) { j.DoAs(0, lo, hi) }

// DoAs computes parts lo to hi in the memory of a goroutine.
func (j *attention) DoAs(worker, lo, hi int) {
	size := j.lens[0] + j.lens[1] + j.lens[2]
	for u := lo; u < hi; u++ {
		first := u / j.kvHeads % j.shares * j.share
		j.part(&j.slots[worker], j.scratch[worker*size:(worker+1)*size], u/j.kvHeads/j.shares, u%j.kvHeads, first, min(first+j.share, j.sq))
	}
}

// part computes the heads that share a key head, for query positions q0 <= i < q1.
func (j *attention) part(s *attentionSlot, scratch []float32, b, kv, q0, q1 int) {
	if q0 >= q1 {
		return
	}
	group := j.heads / j.kvHeads
	m := group * (q1 - q0)
	keys, vals, scores := scratch[:j.lens[0]], scratch[j.lens[0]:j.lens[0]+j.lens[1]], scratch[j.lens[0]+j.lens[1]:]
	if j.sk > 0 {
		j.k.BindF32Into(&s.key, keys, j.key.at(b, kv, 0), j.d, j.sk, j.key.row, !j.keyT, m)
		j.k.BindF32Into(&s.val, vals, j.val.at(b, kv, 0), j.sk, j.dv, j.val.row, false, m)
	}
	for h := kv * group; h < (kv+1)*group; h++ {
		for first := q0; first < q1; first += j.rows {
			n := min(j.rows, q1-first)
			if j.sk == 0 {
				for i := range n {
					clear(j.out.at(b, h, first+i)[:j.dv])
				}
				continue
			}
			s.gemm = backend.GemmF32{M: n, A: j.q.at(b, h, first), LDA: j.q.row, B: &s.key, C: scores, LDC: j.sk}
			if j.simple() {
				j.product(s)
				j.softmax(&s.rows, scores, b, h, first, n)
			} else {
				s.gemm.Alpha = j.scale
				j.product(s)
				for i := range n {
					j.row(scores[i*j.sk:(i+1)*j.sk], b, h, first+i)
				}
			}
			s.gemm = backend.GemmF32{M: n, A: scores, LDA: j.sk, B: &s.val, C: j.out.at(b, h, first), LDC: j.out.row}
			j.product(s)
		}
	}
}

func (j *attention) product(s *attentionSlot) {
	s.gemm.Init(j.k, 1)
	s.gemm.Do(0, s.gemm.Tasks())
}

// simple reports whether the scores of a query are scaled and masked and nothing else.
func (j *attention) simple() bool {
	return j.stage == scoreNone && j.softcap <= 0 && !j.causal && j.ends == nil && j.limit.data == nil
}

// softmax turns n rows of raw scores into probabilities, from query first on, when the job is simple.
func (j *attention) softmax(r *backend.Rows, s []float32, b, h, first, n int) {
	*r = backend.Rows{N: j.sk, Rows: n, Dst: s, DstStep: j.sk, Src: s, SrcStep: j.sk, Scale: j.scale}
	if j.mask != nil {
		r.Add, r.AddStep = j.mask[b*j.maskB+h*j.maskH+first*j.maskS:], j.maskS
	}
	j.k.SoftmaxRows(r)
	if j.blind == blindNaN {
		return
	}
	for i := range n {
		if s[i*j.sk] != s[i*j.sk] {
			j.hide(s[i*j.sk:(i+1)*j.sk], r.Add, i*r.AddStep)
		}
	}
}

// hide makes zeros of a row of probabilities that is NaN, when the rule says so. Its mask is at that place of mask.
func (j *attention) hide(p, mask []float32, at int) {
	if j.blind == blindNaNZero || j.blind == blindZero && mask != nil && allMasked(mask[at:at+len(p)]) {
		clear(p)
	}
}

// seen is the range of keys that query i of entry b may see.
func (j *attention) seen(b, i int) (lo, hi int) {
	hi = j.sk
	if j.ends != nil {
		hi = min(hi, j.ends[b])
	}
	if j.causal {
		last := i + j.offset
		if j.offsets != nil {
			last = i + j.offsets[b]
		}
		hi = min(hi, last+1)
		if j.window > 0 {
			lo = max(0, last+1-j.window)
		}
	}
	return lo, max(lo, hi)
}

// row turns the raw scores of one query into probabilities.
func (j *attention) row(s []float32, b, h, i int) {
	out := []float32(nil)
	if j.stage != scoreNone {
		at := ((b*j.heads+h)*j.sq + i) * j.sk
		out = j.scores[at : at+j.sk]
	}
	if j.stage == scoreRaw {
		copy(out, s)
	}
	if j.softcap > 0 {
		j.k.Unary(backend.MulAdd, s, s, 1/j.softcap, 0)
		j.k.Unary(backend.Tanh, s, s, 0, 0)
		j.k.Unary(backend.MulAdd, s, s, j.softcap, 0)
	}
	if j.stage == scoreCapped {
		copy(out, s)
	}
	lo, hi := j.seen(b, i)
	var mask []float32
	if j.mask != nil {
		at := b*j.maskB + h*j.maskH + i*j.maskS
		mask = j.mask[at+lo : at+hi]
	}
	seen := s[lo:hi]
	if j.stage == scoreMasked {
		fillFloats(out, float32(math.Inf(-1)))
		copy(out[lo:], seen)
		if mask != nil {
			j.k.Binary(backend.Add, out[lo:hi], seen, mask)
		}
	}
	if j.limit.data != nil {
		mask = j.limited(seen, mask, b, h, i, lo)
	}
	clear(s[:lo])
	clear(s[hi:])
	if len(seen) > 0 {
		j.k.Softmax(seen, seen, mask, 1)
		if seen[0] != seen[0] {
			j.hide(seen, mask, 0)
		}
	}
	if j.stage == scoreProb {
		copy(out, s)
	}
}

func fillFloats(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}

func allMasked(mask []float32) bool {
	for _, v := range mask {
		if !math.IsInf(float64(v), -1) {
			return false
		}
	}
	return true
}
