package main

import (
	"math"
	"time"

	"github.com/qrun-onnx/qrun/tensor"
)

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// finite is x, or nil where JSON has no number for it.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.Abs(x) >= math.MaxFloat64 {
		return nil
	}
	return &x
}

func typeName(s tensor.Spec) string {
	if s.Kind != tensor.KindTensor {
		return s.String()
	}
	return s.DType.String()
}

// dimsJSON lists sizes as numbers and symbols as strings; an unknown rank is null.
func dimsJSON(s tensor.Spec) []any {
	if !s.Ranked {
		return nil
	}
	dims := make([]any, len(s.Dims))
	for i, d := range s.Dims {
		if d.Known() {
			dims[i] = d.Size
		} else {
			dims[i] = d.String()
		}
	}
	return dims
}

// compareOut is one output in the documents of compare and run.
type compareOut struct {
	Name       string   `json:"name"`
	MaxAbs     *float64 `json:"max_abs"`
	MeanAbs    *float64 `json:"mean_abs"`
	RMSE       *float64 `json:"rmse"`
	CosineMean *float64 `json:"cosine_mean"`
	CosineMin  *float64 `json:"cosine_min"`
	SQNR       *float64 `json:"sqnr_db"` // null when the outputs are equal
	TopOne     *float64 `json:"top1_agreement,omitempty"`
	KL         *float64 `json:"kl_mean,omitempty"`
}

func (c outputCloseness) doc(name string) compareOut {
	d := compareOut{Name: name, MaxAbs: finite(c.maxAbs), MeanAbs: finite(c.meanAbs), RMSE: finite(c.rmse),
		CosineMean: finite(c.cosine), CosineMin: finite(c.cosineMin), SQNR: finite(c.sqnr)}
	if c.rows > 0 {
		d.TopOne, d.KL = finite(float64(c.agree)/float64(c.rows)), finite(c.kl)
	}
	return d
}
