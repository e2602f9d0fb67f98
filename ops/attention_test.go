package ops

import (
	"bytes"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// slowAttention is softmax(scale*Q*K^T + mask)*V by its definition, of [batch, heads, seq, size], in float64. mask may be
// nil or has [queries, keys].
func slowAttention(t *testing.T, q, k, v *tensor.Tensor, mask []float64) *tensor.Tensor {
	t.Helper()
	s, sk := q.Shape(), k.Shape()
	keys, d, dv := sk[2], s[3], v.Shape()[3]
	dq, dk, dv32 := tensor.View[float32](q), tensor.View[float32](k), tensor.View[float32](v)
	out := make([]float32, s[0]*s[1]*s[2]*dv)
	for r := range s[0] * s[1] * s[2] {
		head := r / s[2] / (s[1] / sk[1])
		p, sum := make([]float64, keys), 0.0
		for i := range p {
			for e := range d {
				p[i] += float64(dq[r*d+e]) * float64(dk[(head*keys+i)*d+e])
			}
			p[i] /= math.Sqrt(float64(d))
			if mask != nil {
				p[i] += mask[r%s[2]*keys+i]
			}
			p[i] = math.Exp(p[i])
			sum += p[i]
		}
		for i := range p {
			for e := range dv {
				out[r*dv+e] += float32(p[i] / sum * float64(dv32[(head*keys+i)*dv+e]))
			}
		}
	}
	return of(t, out, s[0], s[1], s[2], dv)
}

func TestFusedAttention(t *testing.T) {
	q, k, v := ramp(t, 2, 4, 70, 8), ramp(t, 2, 4, 90, 8), ramp(t, 2, 4, 90, 12)
	want := slowAttention(t, q, k, v, nil)
	op := "qrun.Attention"
	wantClose(t, bothWays(t, op, 1, nil, 4, q, k, v), want, 1e-5)
	flat := func(x *tensor.Tensor) *tensor.Tensor {
		s := x.Shape()
		y, err := moved(t, x, 0, 2, 1, 3).Reshape(s[0], s[2], s[1]*s[3])
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	wantClose(t, bothWays(t, op, 1, attrs{"num_heads": 4}, 4, flat(q), flat(k), flat(v)), flat(want), 1e-5)
	wantClose(t, bothWays(t, op, 1, attrs{"k_layout": "bhds", "y_layout": "bsh", "scale": 1 / math.Sqrt(8)}, 4, q, moved(t, k, 0, 1, 3, 2), v), flat(want), 1e-5)
	seqFirst := func(x *tensor.Tensor) *tensor.Tensor { return moved(t, x, 0, 2, 1, 3) }
	wantClose(t, bothWays(t, op, 1, attrs{"q_layout": "bshd", "k_layout": "bshd", "v_layout": "bshd"}, 4, seqFirst(q), seqFirst(k), seqFirst(v)), want, 1e-5)
	wantClose(t, bothWays(t, op, 1, attrs{"q_layout": "bshd", "y_layout": "bshd"}, 4, seqFirst(q), k, v), seqFirst(want), 1e-5)

	mask, m64 := make([]float32, 70*90), make([]float64, 70*90)
	for i := range mask {
		if i%90 > i/90 {
			mask[i], m64[i] = float32(math.Inf(-1)), math.Inf(-1)
		}
	}
	want = slowAttention(t, q, k, v, m64)
	wantClose(t, bothWays(t, op, 1, nil, 4, q, k, v, of(t, mask, 70, 90)), want, 1e-5)
	wantClose(t, bothWays(t, op, 1, attrs{"causal": 1}, 4, q, k, v), want, 1e-5)
	wantErr(t, "cannot broadcast", op, 1, nil, q, k, v, ramp(t, 70, 91))
	wantErr(t, "needs the number of heads", op, 1, nil, flat(q), flat(k), flat(v))
	wantErr(t, "do not fit together", op, 1, nil, q, v, v)
}

func TestPackedAttention(t *testing.T) {
	const heads, kv, size = 4, 2, 8
	all := ramp(t, 2, 33, (heads+2*kv)*size)
	part := func(first, n int) *tensor.Tensor {
		x := make([]float32, 0, 2*33*n*size)
		for r := range 2 * 33 {
			at := (r*(heads+2*kv) + first) * size
			x = append(x, tensor.View[float32](all)[at:at+n*size]...)
		}
		return moved(t, of(t, x, 2, 33, n, size), 0, 2, 1, 3)
	}
	want := moved(t, slowAttention(t, part(0, heads), part(heads, kv), part(heads+kv, kv), nil), 0, 2, 1, 3)
	all, err := all.Reshape(2, 33, heads+2*kv, size)
	if err != nil {
		t.Fatal(err)
	}
	at := attrs{"num_heads": heads, "kv_num_heads": kv, "k_first": heads, "v_first": heads + kv, "y_layout": "bsh"}
	for _, name := range []string{"q_layout", "k_layout", "v_layout"} {
		at[name] = "bshd"
	}
	got := bothWays(t, "qrun.Attention", 1, at, 3, all, all, all)
	flat, err := want.Reshape(2, 33, heads*size)
	if err != nil {
		t.Fatal(err)
	}
	wantClose(t, got, flat, 1e-5)
}

// Batches, a single query and a single key are repeated as the sum of scores and mask repeats them.
func TestFusedAttentionBroadcasts(t *testing.T) {
	op := "qrun.Attention"
	q, k, v := ramp(t, 1, 2, 1, 8), ramp(t, 1, 2, 1, 8), ramp(t, 1, 2, 5, 8)
	mask := ramp(t, 3, 1, 4, 5)
	repeat := func(x *tensor.Tensor, n, seq int) *tensor.Tensor {
		s := x.Shape()
		var all []float32
		for range n {
			for h := range s[1] {
				row := tensor.View[float32](x)[h*s[2]*s[3] : (h+1)*s[2]*s[3]]
				for range seq / s[2] {
					all = append(all, row...)
				}
			}
		}
		return of(t, all, n, s[1], seq, s[3])
	}
	want := runOp(t, op, 1, nil, repeat(q, 3, 4), repeat(k, 3, 5), repeat(v, 3, 5), mask)
	wantTensor(t, runOp(t, op, 1, nil, q, k, v, mask), want)
	wantTensor(t, runOp(t, op, 1, nil, repeat(q, 3, 1), k, repeat(v, 3, 5), mask), want)
	wantTensor(t, runOp(t, op, 1, attrs{"k_layout": "bhds"}, q, moved(t, k, 0, 1, 3, 2), v, mask), want)
	same := runOp(t, op, 1, nil, q, v, v, ramp(t, 1))
	wantTensor(t, runOp(t, op, 1, nil, q, v, v, of(t, slices.Repeat(tensor.View[float32](ramp(t, 1)), 5), 1, 5)), same)
	wantErr(t, "scores of 6 keys and 5 values", op, 1, nil, q, k, v, ramp(t, 6))
	wantErr(t, "does not fit 2 heads", op, 1, nil, q, k, v, ramp(t, 3, 1, 5))
}

func TestFusedAttentionOfHiddenKeys(t *testing.T) {
	inf := float32(math.Inf(-1))
	x := ramp(t, 1, 1, 2, 4)
	mask := of(t, []float32{inf, inf, 0, inf}, 2, 2)
	got := tensor.View[float32](runOp(t, "qrun.Attention", 1, nil, x, x, x, mask))
	if got[0] == got[0] || got[4] != tensor.View[float32](x)[0] {
		t.Errorf("got %v, want NaN where no key is seen", got)
	}
	got = tensor.View[float32](runOp(t, "qrun.Attention", 1, attrs{"nan_zero": 1}, x, x, x, mask))
	wantTensor(t, of(t, got, 8), of(t, append(make([]float32, 4), tensor.View[float32](x)[:4]...), 8))
}

// The result of a query must not depend on how many there are.
func TestAttentionBitsOfQueries(t *testing.T) {
	q, k, v := ramp(t, 1, 2, 50, 16), ramp(t, 1, 2, 40, 16), ramp(t, 1, 2, 40, 16)
	whole := tensor.View[float32](runOp(t, "Attention", 23, nil, q, k, v))
	for i := range 50 {
		one := append([]float32{}, tensor.View[float32](q)[i*16:(i+1)*16]...)
		one = append(one, tensor.View[float32](q)[(50+i)*16:(51+i)*16]...)
		got := tensor.View[float32](runOp(t, "Attention", 23, nil, of(t, one, 1, 2, 1, 16), k, v))
		for h := range 2 {
			for e := range 16 {
				if got[h*16+e] != whole[(h*50+i)*16+e] {
					t.Fatalf("query %d head %d element %d: %v alone, %v among others", i, h, e, got[h*16+e], whole[(h*50+i)*16+e])
				}
			}
		}
	}
}

// The bits do not depend on the number of goroutines.
func TestAttentionBitsOfThreads(t *testing.T) {
	for _, heads := range []int{1, 5} {
		parts := []any{mIn("q", mSpec(tensor.Float32, 1, heads, 200, 64)), mIn("k", mSpec(tensor.Float32, 1, heads, 150, 64)), mIn("m", mSpec(tensor.Float32, 1, 150)),
			mNode("qrun:Attention", "q k k m", "y"), mOut("y")}
		reg, err := graph.NewRegistry(Defs(backend.All()[0]))
		if err != nil {
			t.Fatal(err)
		}
		feeds := map[string]*tensor.Tensor{"q": ramp(t, 1, heads, 200, 64), "k": ramp(t, 1, heads, 150, 64), "m": ramp(t, 1, 150)}
		var want []byte
		for _, threads := range []int{1, 2, 5} {
			model := modeltest.Model(mGraph(parts...))
			model.Proto.OpsetImport = append(model.Proto.OpsetImport, &onnx.OperatorSetIdProto{Domain: new("qrun"), Version: new(int64(1))})
			g, err := graph.Build(model, reg)
			if err != nil {
				t.Fatal(err)
			}
			x, err := graph.NewExecutable(g, graph.ExecOptions{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				out, err := x.Run(context.Background(), feeds, nil)
				if err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want = out["y"].Bytes()
				}
				if !bytes.Equal(out["y"].Bytes(), want) {
					t.Fatalf("%d heads: %d goroutines give other bits", heads, threads)
				}
			}
		}
	}
}

func TestAttentionMaskedRow(t *testing.T) {
	x := ramp(t, 1, 1, 2, 4)
	mask := of(t, []bool{false, false, true, false}, 2, 2)
	got := tensor.View[float32](runOp(t, "Attention", 24, nil, x, x, x, mask))
	want := append(make([]float32, 4), tensor.View[float32](x)[:4]...)
	wantTensor(t, of(t, got, 8), of(t, want, 8))
	wantErr(t, "must be given together", "Attention", 24, nil, x, x, x, nil, x)
	wantErr(t, "mask bool[3 2] does not fit", "Attention", 24, nil, x, x, x, of(t, make([]bool, 6), 3, 2))
	wantErr(t, "nonpad_kv_seqlen[0] is 3, want 0 to 2", "Attention", 24, nil, x, x, x, nil, nil, nil, of(t, []int64{3}, 1))
}

func TestMultiHeadAttentionForms(t *testing.T) {
	const b, s, n, size = 2, 5, 3, 4
	q, k, v := ramp(t, b, n, s, size), ramp(t, b, n, s, size), ramp(t, b, n, s, size)
	want, err := moved(t, slowAttention(t, q, k, v, nil), 0, 2, 1, 3).Reshape(b, s, n*size)
	if err != nil {
		t.Fatal(err)
	}
	pack := func(parts ...*tensor.Tensor) *tensor.Tensor {
		var x []float32
		for e := range b {
			for i := range s {
				for h := range n {
					for _, p := range parts {
						at := ((e*n+h)*s + i) * size
						x = append(x, tensor.View[float32](p)[at:at+size]...)
					}
				}
			}
		}
		return of(t, x, b, s, n, len(parts), size)
	}
	flatQ, err := pack(q).Reshape(b, s, n*size)
	if err != nil {
		t.Fatal(err)
	}
	op, at := "com.microsoft.MultiHeadAttention", attrs{"num_heads": n}
	wantClose(t, runOp(t, op, 1, at, pack(q, k, v)), want, 1e-5)
	wantClose(t, runOp(t, op, 1, at, flatQ, pack(k, v)), want, 1e-5)
	wantClose(t, runOp(t, op, 1, at, flatQ, k, v), want, 1e-5)
	wantErr(t, "do not fit together with 3 heads", op, 1, at, flatQ, ramp(t, b, s, 11), ramp(t, b, s, 12))
	wantErr(t, "want one or two numbers", op, 1, at, pack(q, k, v), nil, nil, nil, of(t, make([]int32, 7)))
}

func TestRotaryErrors(t *testing.T) {
	x, cache, pos := ramp(t, 1, 2, 3, 4), ramp(t, 5, 2), of(t, []int64{0, 1, 5}, 1, 3)
	wantErr(t, "position_ids[2] is 5, want 0 to 4", "RotaryEmbedding", 23, nil, x, cache, cache, pos)
	wantErr(t, "cos_cache float32[5 3] does not fit 4 of 4 elements", "RotaryEmbedding", 23, nil, x, ramp(t, 5, 3), ramp(t, 5, 3), pos)
	wantErr(t, "scale=2", "com.microsoft.RotaryEmbedding", 1, attrs{"scale": 2.0}, x, pos, cache, cache)
}
