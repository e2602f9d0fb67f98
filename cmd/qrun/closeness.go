package main

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/accuracy"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// outputCloseness compares one output over all samples.
type outputCloseness struct {
	maxAbs, meanAbs, rmse   float64
	cosine, cosineMin, sqnr float64 // cosine is the mean over samples; sqnr is over all elements together
	agree, rows             int     // rows whose largest element stands at the same place
	kl                      float64
}

// classLike reports whether the output may be scores of classes: rows of at least two floats.
func classLike(t *tensor.Tensor) bool {
	return t.DType().IsFloat() && t.Rank() == 2 && t.Shape()[1] >= 2 && t.Shape()[1] <= 100000 && t.Shape()[0] > 0
}

func closeness(ref, got []qrun.Tensors, name string) (outputCloseness, error) {
	c := outputCloseness{cosineMin: math.Inf(1)}
	var signal, noise, count float64
	for i := range ref {
		r, g := ref[i][name], got[i][name]
		if r.Kind() != tensor.KindTensor || r.DType() == tensor.String {
			return c, fmt.Errorf("%v is not compared", r)
		}
		s, err := accuracy.Compare(g, r)
		if err != nil {
			return c, err
		}
		c.maxAbs = max(c.maxAbs, s.MaxAbs)
		n := float64(s.N)
		c.meanAbs += s.MeanAbs * n
		noise += s.RMSE * s.RMSE * n
		count += n
		v, _ := accuracy.Floats(r)
		for _, x := range v {
			if !math.IsNaN(x) && !math.IsInf(x, 0) {
				signal += x * x
			}
		}
		c.cosine += s.Cosine
		c.cosineMin = min(c.cosineMin, s.Cosine)
		if classLike(r) {
			a, b := accuracy.TopOne(g), accuracy.TopOne(r)
			for k := range a {
				if a[k] == b[k] {
					c.agree++
				}
			}
			c.rows += len(a)
			c.kl += accuracy.KL(g, r) / float64(len(ref))
		}
	}
	c.cosine /= float64(len(ref))
	if count > 0 {
		c.meanAbs /= count
		c.rmse = math.Sqrt(noise / count)
	}
	c.sqnr = math.Inf(1)
	if noise > 0 {
		c.sqnr = 10 * math.Log10(max(signal, math.SmallestNonzeroFloat64)/noise)
	}
	return c, nil
}

// readLabels reads the classes that are right; nil without a file.
func readLabels(path string) ([]int64, error) {
	if path == "" {
		return nil, nil
	}
	t, err := readNPYFile(path)
	if err != nil {
		if _, pb, perr := onnx.ReadTensorFile(path, tensor.Spec{}); perr == nil {
			t, err = pb, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("--labels %w", inFile(path, err))
	}
	if !t.DType().IsInteger() {
		return nil, usagef("--labels %s: want integers, got %v", path, t)
	}
	v, _ := accuracy.Floats(t)
	labels := make([]int64, len(v))
	for i, x := range v {
		labels[i] = int64(x)
	}
	return labels, nil
}
