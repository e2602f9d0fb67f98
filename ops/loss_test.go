package ops

import (
	"math"
	"testing"
)

func TestLosses(t *testing.T) {
	log := of(t, []float32{-1, -2, -3, -4, -5, -6}, 2, 3)
	labels, weights := of(t, []int64{2, 0}, 2), of(t, []float32{1, 10, 4})
	op := "NegativeLogLikelihoodLoss"
	wantTensor(t, runOp(t, op, 13, attrs{"reduction": "none"}, log, labels), of(t, []float32{3, 4}))
	wantTensor(t, runOp(t, op, 13, attrs{"reduction": "sum"}, log, labels, weights), of(t, []float32{16}))
	wantTensor(t, runOp(t, op, 22, nil, log, labels, weights), of(t, []float32{16. / 5}))
	wantTensor(t, runOp(t, op, 12, attrs{"ignore_index": 2}, log, labels, weights), of(t, []float32{4}))
	// [N, C, d]: each position of d has a label of its own
	log3 := of(t, []float32{-1, -2, -3, -4, -5, -6}, 1, 3, 2)
	wantTensor(t, runOp(t, op, 13, attrs{"reduction": "none"}, log3, of(t, []int32{2, 1}, 1, 2)), of(t, []float32{5, 4}, 1, 2))
	wantErr(t, "label 1 is 3, want 0 to 2", op, 13, nil, log, of(t, []int64{0, 3}, 2))
	wantErr(t, "labels int64[3], want the shape [2]", op, 13, nil, log, of(t, []int64{0, 3, 1}, 3))

	out, err := tryOp(t, "SoftmaxCrossEntropyLoss", 13, attrs{"reduction": "none"}, 2, of(t, []float32{0, 0, 1000, 1000}, 2, 2), of(t, []int64{0, 1}, 2))
	if err != nil {
		t.Fatal(err)
	}
	ln2 := float32(math.Ln2)
	wantClose(t, out[0], of(t, []float32{ln2, ln2}), 1e-6)
	wantClose(t, out[1], of(t, []float32{-ln2, -ln2, -ln2, -ln2}, 2, 2), 1e-6)
}
