package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestGather(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 3, 5, 4)
		idx := []int32{4, -5, 0, 2, -1, 4}
		at := []int{4, 0, 0, 2, 4, 4}
		y := runOp(t, "Gather", 13, attrs{"axis": 1}, x, of(t, idx, 2, 3))
		wantMoved(t, y, x, []int{3, 2, 3, 4}, func(p []int) []int { return []int{p[0], at[p[1]*3+p[2]], p[3]} })
		y = runOp(t, "Gather", 7, attrs{"axis": -1}, x, of(t, []int64{-1}))
		wantMoved(t, y, x, []int{3, 5}, func(p []int) []int { return []int{p[0], p[1], 3} })
	}
	x := numbered(t, tensor.Float32, 100, 64)
	many := make([]int64, 2000) // more than one goroutine takes
	for i := range many {
		many[i] = int64(i * 37 % 100)
	}
	wantMoved(t, runOp(t, "Gather", 13, nil, x, indices(t, many...)), x, []int{2000, 64}, func(p []int) []int { return []int{int(many[p[0]]), p[1]} })
	wantTensor(t, runOp(t, "Gather", 13, nil, x, indices(t)), numbered(t, tensor.Float32, 0, 64))
	wantErr(t, "index 100 is outside an axis of size 100", "Gather", 13, nil, x, indices(t, 3, 100))
	wantErr(t, "index -101 is outside an axis of size 100", "Gather", 13, nil, x, indices(t, -101))
	wantErr(t, "index 0 is outside an axis of size 0", "Gather", 13, nil, ramp(t, 0, 2), indices(t, 0))
	wantErr(t, "want [int64 int32]", "Gather", 13, nil, x, of(t, []uint8{1}))
}

func TestGatherElements(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 3, 4)
		rows := []int64{0, -1, 1, 2, 0, 1}
		at := []int{0, 2, 1, 2, 0, 1}
		y := runOp(t, "GatherElements", 13, nil, x, of(t, rows, 2, 3))
		wantMoved(t, y, x, []int{2, 3}, func(p []int) []int { return []int{at[p[0]*3+p[1]], p[1]} })
		y = runOp(t, "GatherElements", 11, attrs{"axis": 1}, x, of(t, []int32{3, 0, -2, 1}, 2, 2))
		cols := []int{3, 0, 2, 1}
		wantMoved(t, y, x, []int{2, 2}, func(p []int) []int { return []int{p[0], cols[p[0]*2+p[1]]} })
	}
	deep := numbered(t, tensor.Float32, 3, 2, 4)
	y := runOp(t, "GatherElements", 13, attrs{"axis": 2}, deep, of(t, []int64{3, 0, -4, 1, -1, 2}, 2, 1, 3))
	at := []int{3, 0, 0, 1, 3, 2}
	wantMoved(t, y, deep, []int{2, 1, 3}, func(p []int) []int { return []int{p[0], p[1], at[p[0]*3+p[2]]} })
	x := ramp(t, 3, 4)
	wantErr(t, "index -5 is outside an axis of size 4", "GatherElements", 13, attrs{"axis": -1}, x, of(t, []int64{0, 3, -5}, 1, 3))
	wantErr(t, "index 3 is outside an axis of size 3", "GatherElements", 13, nil, x, of(t, []int64{3}, 1, 1))
	wantErr(t, "reach beyond", "GatherElements", 13, nil, x, of(t, make([]int64, 5), 1, 5))
	wantErr(t, "as many dimensions", "GatherElements", 13, nil, x, indices(t, 0))
}

func TestGatherND(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 2, 3, 4)
		y := runOp(t, "GatherND", 12, nil, x, of(t, []int64{1, -1, 0, 2}, 2, 2))
		wantMoved(t, y, x, []int{2, 4}, func(p []int) []int { return []int{1 - p[0], 2, p[1]} })
		y = runOp(t, "GatherND", 13, attrs{"batch_dims": 1}, x, of(t, []int64{2, 0}, 2, 1))
		wantMoved(t, y, x, []int{2, 4}, func(p []int) []int { return []int{p[0], []int{2, 0}[p[0]], p[1]} })
		y = runOp(t, "GatherND", 11, nil, x, of(t, []int64{1, 2, 3}, 3))
		wantMoved(t, y, x, []int{}, func([]int) []int { return []int{1, 2, 3} })
	}
	x := ramp(t, 2, 3, 4)
	wantErr(t, "index 3 is outside axis 1 of size 3", "GatherND", 13, nil, x, of(t, []int64{0, 3}, 1, 2))
	wantErr(t, "tuples of 4", "GatherND", 13, nil, x, of(t, make([]int64, 4), 1, 4))
	wantErr(t, "batch axis 0", "GatherND", 13, attrs{"batch_dims": 1}, x, of(t, make([]int64, 3), 3, 1))
}

func TestScatterElements(t *testing.T) {
	x := of(t, []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	idx := of(t, []int64{1, 1, -1, 0}, 2, 2)
	u := of(t, []float32{10, 20, 30, 40}, 2, 2)
	for _, c := range []struct {
		reduction string
		want      []float32
	}{
		{"none", []float32{1, 20, 3, 40, 5, 30}},
		{"add", []float32{1, 32, 3, 44, 5, 36}},
		{"mul", []float32{1, 400, 3, 160, 5, 180}},
		{"max", []float32{1, 20, 3, 40, 5, 30}},
		{"min", []float32{1, 2, 3, 4, 5, 6}},
	} {
		at := attrs{"axis": 1, "reduction": c.reduction}
		wantTensor(t, runOp(t, "ScatterElements", 18, at, x, idx, u), of(t, c.want, 2, 3))
	}
	for _, d := range widths {
		x, u := numbered(t, d, 4, 2), numbered(t, d, 1, 2)
		y := runOp(t, "Scatter", 9, nil, x, of(t, []int32{3, 0}, 1, 2), u)
		if key(y, 6) != key(u, 0) || key(y, 1) != key(u, 1) || key(y, 2) != key(x, 2) {
			t.Errorf("%v: wrong elements", d)
		}
	}
	half := of(t, []tensor.F16{tensor.ToF16(1.5), tensor.ToF16(2)})
	y := runOp(t, "ScatterElements", 18, attrs{"reduction": "add"}, half, indices(t, 1, 1), of(t, []tensor.F16{tensor.ToF16(0.25), tensor.ToF16(1)}))
	wantTensor(t, y, of(t, []tensor.F16{tensor.ToF16(1.5), tensor.ToF16(3.25)}))
	wantErr(t, "updates are float32[2 2], want shape [1 2]", "ScatterElements", 18, nil, x, of(t, []int64{0, 0}, 1, 2), u)
	wantErr(t, "not supported: reduction add of type bool", "ScatterElements", 18, attrs{"reduction": "add"}, of(t, []bool{true}, 1), indices(t, 0), of(t, []bool{true}, 1))
	wantErr(t, "types float32 and int64", "ScatterElements", 18, nil, x, of(t, []int64{0}, 1, 1), of(t, []int64{0}, 1, 1))
}

func TestScatterND(t *testing.T) {
	x := of(t, []int32{1, 2, 3, 4, 5, 6}, 3, 2)
	idx := of(t, []int64{2, -3, 2}, 3, 1)
	u := of(t, []int32{10, 20, 30, 40, 50, 60}, 3, 2)
	wantTensor(t, runOp(t, "ScatterND", 11, nil, x, idx, u), of(t, []int32{30, 40, 3, 4, 50, 60}, 3, 2))
	wantTensor(t, runOp(t, "ScatterND", 18, attrs{"reduction": "add"}, x, idx, u), of(t, []int32{31, 42, 3, 4, 65, 86}, 3, 2))
	one := runOp(t, "ScatterND", 13, nil, x, of(t, []int64{1, 1}, 2), of(t, []int32{9}))
	wantTensor(t, one, of(t, []int32{1, 2, 3, 9, 5, 6}, 3, 2))
	for _, d := range widths {
		x, u := numbered(t, d, 4, 3), numbered(t, d, 1, 3)
		y := runOp(t, "ScatterND", 13, nil, x, of(t, []int64{2}, 1, 1), u)
		for i := range 12 {
			want := key(x, i)
			if i/3 == 2 {
				want = key(u, i%3)
			}
			if key(y, i) != want {
				t.Errorf("%v: element %d is wrong", d, i)
			}
		}
	}
	wantErr(t, "index 3 is outside axis 0 of size 3", "ScatterND", 13, nil, x, of(t, []int64{0, 3, 0}, 3, 1), u)
	wantErr(t, "updates are int32[3 2], want shape [2 2]", "ScatterND", 13, nil, x, of(t, []int64{0, 1}, 2, 1), u)
}

// The offsets of a constant index are kept, and follow when the tensor's shape changes.
func TestScatterNDConstantIndex(t *testing.T) {
	c := newChain(t, nil)
	c.input("x", tensor.Float32, "n 2")
	c.input("u", tensor.Float32, "1 2")
	c.constant("idx", of(t, []int64{-1}, 1, 1))
	c.node("ScatterND", 16, nil, "x idx u", "y", nil)
	c.node("GatherND", 16, nil, "y idx", "z", nil)
	c.outputs("y z")
	for _, n := range []int{3, 5, 3} {
		x, u := ramp(t, n, 2), of(t, []float32{100, 200}, 1, 2)
		out := c.run(map[string]*tensor.Tensor{"x": x, "u": u})
		want := x.Clone()
		copy(tensor.View[float32](want)[2*n-2:], []float32{100, 200})
		wantTensor(t, out["y"], want)
		wantTensor(t, out["z"], u)
	}
}
