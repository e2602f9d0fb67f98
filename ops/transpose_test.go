package ops

import (
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// permutations lists all orders of n axes.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := 0; i <= len(p); i++ {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

func TestTranspose(t *testing.T) {
	for _, d := range widths {
		for _, shape := range [][]int{{2, 17, 9, 33}, {1, 8, 1, 16}, {3, 1, 70, 2}} {
			if d != tensor.Float32 && shape[0] != 2 {
				continue
			}
			x := numbered(t, d, shape...)
			for _, perm := range permutations(4) {
				y := runOp(t, "Transpose", 13, attrs{"perm": perm}, x)
				want := make([]int, 4)
				for i, a := range perm {
					want[i] = shape[a]
				}
				wantMoved(t, y, x, want, func(pos []int) []int {
					p := make([]int, 4)
					for i, a := range perm {
						p[a] = pos[i]
					}
					return p
				})
			}
		}
	}
}

func TestTransposeForms(t *testing.T) {
	x := numbered(t, tensor.Float32, 2, 3, 4)
	wantMoved(t, runOp(t, "Transpose", 21, nil, x), x, []int{4, 3, 2}, func(p []int) []int { return []int{p[2], p[1], p[0]} })
	wantMoved(t, runOp(t, "Transpose", 7, attrs{"perm": []int{-1, 0, 1}}, x), x, []int{4, 2, 3}, func(p []int) []int { return []int{p[1], p[2], p[0]} })
	scalar := of(t, []int32{7})
	wantTensor(t, runOp(t, "Transpose", 13, nil, scalar), scalar)
	empty := runOp(t, "Transpose", 13, attrs{"perm": []int{1, 0}}, numbered(t, tensor.Int8, 0, 5))
	wantTensor(t, empty, numbered(t, tensor.Int8, 5, 0))
	// more elements than one goroutine takes, in a plane that does not divide by the blocks
	big := numbered(t, tensor.Float32, 300, 517)
	wantMoved(t, runOp(t, "Transpose", 13, nil, big), big, []int{517, 300}, func(p []int) []int { return []int{p[1], p[0]} })
	wantErr(t, "perm [0 0 1] does not order the axes of float32[2 3 4]", "Transpose", 13, attrs{"perm": []int{0, 0, 1}}, x)
	wantErr(t, "does not order", "Transpose", 13, attrs{"perm": []int{0, 1}}, x)
}

func TestDepthToSpace(t *testing.T) {
	for _, d := range widths {
		x := numbered(t, d, 2, 12, 3, 5)
		for _, mode := range []string{"DCR", "CRD"} {
			y := runOp(t, "DepthToSpace", 13, attrs{"blocksize": 2, "mode": mode}, x)
			wantMoved(t, y, x, []int{2, 3, 6, 10}, func(p []int) []int {
				row, col := p[2]%2, p[3]%2
				c := (row*2+col)*3 + p[1]
				if mode == "CRD" {
					c = p[1]*4 + row*2 + col
				}
				return []int{p[0], c, p[2] / 2, p[3] / 2}
			})
		}
		back := runOp(t, "SpaceToDepth", 13, attrs{"blocksize": 2}, runOp(t, "DepthToSpace", 7, attrs{"blocksize": 2}, x))
		wantMoved(t, back, x, []int{2, 12, 3, 5}, func(p []int) []int { return p })
	}
	wantErr(t, "axis 1 of float32[1 6 2 2] is not a multiple of 4", "DepthToSpace", 13, attrs{"blocksize": 2}, ramp(t, 1, 6, 2, 2))
	wantErr(t, "want [N C H W]", "SpaceToDepth", 13, attrs{"blocksize": 2}, ramp(t, 6, 2, 2))
	wantErr(t, "blocksize=0", "SpaceToDepth", 13, attrs{"blocksize": 0}, ramp(t, 1, 6, 2, 2))
}
