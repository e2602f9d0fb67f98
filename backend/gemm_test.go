package backend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// onTiers runs f on every tier of this CPU. A tier that QRUN_TEST_REQUIRE names and that is missing is a failure.
func onTiers(t *testing.T, f func(t *testing.T, k *Kernels)) {
	if name := os.Getenv("QRUN_TEST_REQUIRE"); name != "" {
		if _, err := New(name); err != nil {
			t.Error(err)
		}
	}
	for _, k := range All() {
		t.Run(k.Name(), func(t *testing.T) { f(t, k) })
	}
}

// sizes are M, N and K: every width of panels, remainders of tiles and steps, several blocks and groups.
var sizes = [][3]int{
	{1, 1, 1}, {1, 5, 3}, {2, 16, 4}, {3, 17, 5}, {1, 48, 64}, {5, 33, 7}, {7, 49, 2}, {8, 64, 16}, {9, 65, 31}, {13, 96, 9},
	{17, 112, 10}, {6, 600, 6}, {130, 20, 12}, {150, 130, 8}, {1, 777, 65}, {300, 8, 3}, {4, 31, 0}, {0, 3, 3}, {3, 0, 3},
}

func random[T any](n int, f func() T) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = f()
	}
	return s
}

func newRand(size [3]int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(size[0]*1000+size[1]), uint64(size[2])))
}

// doAll runs a job's tasks in uneven ranges, from the last to the first.
func doAll(tasks int, do func(lo, hi int)) {
	for hi := tasks; hi > 0; {
		lo := max(0, hi-1-hi%3)
		do(lo, hi)
		hi = lo
	}
}

func randomEpilogue(r *rand.Rand, m, n int) Epilogue {
	var e Epilogue
	f := func() float32 { return float32(r.NormFloat64()) }
	if r.IntN(2) == 0 {
		e.Bias = random(n, f)
	}
	if r.IntN(3) == 0 {
		e.BiasRow = random(m, f)
	}
	e.Act = Activation(r.IntN(int(ActQuickGelu) + 1))
	e.P0, e.P1 = -0.25, 0.5
	if r.IntN(2) == 0 {
		e.LDR = n + r.IntN(3)
		e.Residual = random(m*e.LDR, f)
	}
	return e
}

// same compares bits; any NaN is like any other.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s: element %d is %v (%#x), want %v (%#x)", what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

func TestGemmF32(t *testing.T) {
	onTiers(t, func(t *testing.T, k *Kernels) {
		for _, size := range sizes {
			for threads := 1; threads < 4; threads += 2 {
				r, m, n, d := newRand(size), size[0], size[1], size[2]
				f := func() float32 { return float32(r.NormFloat64()) }
				trans, lda, ldc := r.IntN(2) == 0, d+r.IntN(3), n+r.IntN(3)
				a, ldb := random(max(0, (m-1)*lda+d), f), n+r.IntN(3)
				if trans {
					ldb = d + r.IntN(3)
				}
				b := random(ldb*max(n, d), f)
				alpha := [3]float32{0, 1, 0.3}[r.IntN(3)]
				e := randomEpilogue(r, m, n)
				want := make([]float32, m*ldc)
				for i := range m {
					for j := range n {
						var acc float32
						for x := range d {
							y := b[min(x*ldb+j, len(b)-1)]
							if trans {
								y = b[j*ldb+x]
							}
							acc = fma32(a[i*lda+x], y, acc)
						}
						if alpha != 0 && alpha != 1 {
							acc *= alpha
						}
						want[i*ldc+j] = e.apply(acc, i, j)
					}
				}
				name := fmt.Sprint(size, " threads ", threads, " trans ", trans, " ", e.Act)
				bs := map[string]*PackedF32{"packed": k.PackF32(b, d, n, ldb, trans), "bound": new(PackedF32)}
				k.BindF32Into(bs["bound"], make([]float32, k.PackedF32Len(d, n)), b, d, n, ldb, trans, 1)
				for how, p := range bs {
					c := make([]float32, m*ldc)
					g := GemmF32{M: m, A: a, LDA: lda, B: p, C: c, LDC: ldc, Alpha: alpha, Epi: e}
					g.Init(k, threads)
					doAll(g.Tasks(), g.Do)
					same(t, name+" "+how, c, want)
				}
			}
		}
	})
}

func TestGemmF16(t *testing.T) {
	onTiers(t, func(t *testing.T, k *Kernels) {
		for _, size := range sizes {
			r, m, n, d := newRand(size), size[0], size[1], size[2]
			f := func() float32 { return float32(r.NormFloat64()) }
			trans, ldb := r.IntN(2) == 0, n+2
			if trans {
				ldb = d + 2
			}
			b := random(ldb*max(n, d), f)
			for i := range b {
				if i%7 == 0 {
					b[i] *= 1e6 // beyond float16
				}
			}
			wide := make([]float32, len(b))
			half := make([]uint16, len(b))
			k.Unary(Clip, wide, b, -65504, 65504)
			k.FloatToHalf(half, wide)
			k.HalfToFloat(wide, half)
			a, e := random(m*d, f), randomEpilogue(r, m, n)
			want, got := make([]float32, m*n), make([]float32, m*n)
			g := GemmF32{M: m, A: a, LDA: d, B: k.PackF32(wide, d, n, ldb, trans), C: want, LDC: n, Epi: e}
			g.Init(k, 1)
			g.Do(0, g.Tasks())
			h := GemmF16{M: m, A: a, LDA: d, B: k.PackF16(b, d, n, ldb, trans), C: got, LDC: n, Epi: e}
			h.Init(k, 2)
			doAll(h.Tasks(), h.Do)
			same(t, fmt.Sprint(size, " trans ", trans), got, want)
		}
	})
}

// intCase is a product of bytes with its result by plain loops.
type intCase struct {
	GemmU8S8
	b           []int8
	k, n, ldb   int
	trans       bool
	scale       []float32
	zero        []int32
	want        []float32
	wantI       []int32
	description string
}

func newIntCase(r *rand.Rand, m, n, d int) *intCase {
	mode := r.IntN(4)
	u8 := func() uint8 { return [4]uint8{uint8(r.Uint32()), 255, 255, 0}[mode] }
	i8 := func() int8 { return [4]int8{int8(r.Uint32()), -128, 127, int8(r.Uint32())}[mode] }
	f := func() float32 { return float32(r.NormFloat64()) }
	z := func() int32 { return r.Int32N(256) }
	c := &intCase{k: d, n: n, ldb: n + r.IntN(3), trans: r.IntN(2) == 0}
	if c.trans {
		c.ldb = d + r.IntN(3)
	}
	c.b = random(c.ldb*map[bool]int{false: d, true: n}[c.trans], i8)
	c.M, c.LDA, c.LDC = m, (d+63)&^63+64*r.IntN(2), n+r.IntN(3)
	c.A = make([]uint8, m*c.LDA)
	c.RowSumA = make([]int32, m)
	for i := range m {
		for x := range d {
			v := u8()
			c.A[i*c.LDA+x] = v
			c.RowSumA[i] += int32(v)
		}
	}
	c.ZeroA, c.ScaleA, c.scale = random(1, z), random(1, f), random(1, f)
	if r.IntN(2) == 0 {
		c.ZeroA, c.ScaleA, c.scale = random(m, z), random(m, f), random(n, f)
	}
	switch r.IntN(3) {
	case 0:
		c.zero = random(n, func() int32 { return r.Int32N(256) - 128 })
	case 1:
		c.zero = []int32{r.Int32N(3) - 1}
	}
	c.Epi = randomEpilogue(r, m, n)
	c.description = fmt.Sprintf("%dx%dx%d mode %d trans %v zero %d %v", m, n, d, mode, c.trans, len(c.zero), c.Epi.Act)
	c.expect()
	return c
}

func at[T any](s []T, i int) (v T) {
	if len(s) == 0 {
		return v
	}
	return s[min(i, len(s)-1)]
}

func (c *intCase) expect() {
	c.want, c.wantI = make([]float32, c.M*c.LDC), make([]int32, c.M*c.LDC)
	for i := range c.M {
		for j := range c.n {
			var acc int32
			for x := range c.k {
				v := c.b[min(x*c.ldb+j, len(c.b)-1)]
				if c.trans {
					v = c.b[j*c.ldb+x]
				}
				acc += (int32(c.A[i*c.LDA+x]) - at(c.ZeroA, i)) * (int32(v) - at(c.zero, j))
			}
			c.wantI[i*c.LDC+j] = acc
			s := at(c.ScaleA, i) * at(c.scale, j)
			c.want[i*c.LDC+j] = c.Epi.apply(float32(float32(acc)*s), i, j)
		}
	}
}

func (c *intCase) check(t *testing.T, k *Kernels, threads int) {
	t.Helper()
	g := c.GemmU8S8
	g.B = k.PackI8(c.b, c.k, c.n, c.ldb, c.trans, c.scale, c.zero)
	g.C = make([]float32, c.M*c.LDC)
	g.Init(k, threads)
	doAll(g.Tasks(), g.Do)
	same(t, c.description, g.C, c.want)
	g.C, g.CI = nil, make([]int32, c.M*c.LDC)
	g.Init(k, threads)
	doAll(g.Tasks(), g.Do)
	for i, w := range c.wantI {
		if g.CI[i] != w {
			t.Fatalf("%s: integer %d is %d, want %d", c.description, i, g.CI[i], w)
		}
	}
}

func TestGemmU8S8(t *testing.T) {
	for _, size := range sizes {
		r := newRand(size)
		for range 4 {
			c := newIntCase(r, size[0], size[1], size[2])
			onTiers(t, func(t *testing.T, k *Kernels) {
				c.check(t, k, 1)
				c.check(t, k, 3)
			})
		}
	}
}

// TestGemmU8S8Deep has column sums that the kernels' correction of zero points cannot hold.
func TestGemmU8S8Deep(t *testing.T) {
	for _, d := range []int{32768, 40000, MaxDepthI8} {
		r := newRand([3]int{1, 1, d})
		c := newIntCase(r, 2, 5, d)
		for i := range c.b {
			c.b[i] = -128
		}
		c.expect()
		onTiers(t, func(t *testing.T, k *Kernels) { c.check(t, k, 1) })
	}
}

// TestGemmAllocs says that neither Init nor Do allocates.
func TestGemmAllocs(t *testing.T) {
	c := newIntCase(newRand([3]int{9, 70, 64}), 9, 70, 64)
	onTiers(t, func(t *testing.T, k *Kernels) {
		g := c.GemmU8S8
		g.B, g.C = k.PackI8(c.b, c.k, c.n, c.ldb, c.trans, c.scale, c.zero), make([]float32, c.M*c.LDC)
		fb := make([]float32, 64*70)
		f := GemmF32{M: 9, A: fb, LDA: 64, B: k.PackF32(fb, 64, 70, 70, false), C: make([]float32, 9*70), LDC: 70}
		if n := testing.AllocsPerRun(20, func() {
			g.Init(k, 2)
			g.Do(0, g.Tasks())
			f.Init(k, 2)
			f.Do(0, f.Tasks())
		}); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
