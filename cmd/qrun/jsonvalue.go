package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/qrun-onnx/qrun/internal/accuracy"
	"github.com/qrun-onnx/qrun/tensor"
)

// parseNumbers reads a comma-separated list ("101,102") as one dimension of numbers.
func parseNumbers(list string) ([]float64, []int, error) {
	parts := strings.Split(list, ",")
	v := make([]float64, len(parts))
	for i, p := range parts {
		x, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil {
			return nil, nil, fmt.Errorf("%q is not a number", p)
		}
		v[i] = x
	}
	return v, []int{len(v)}, nil
}

// flattenJSON reads nested JSON arrays of numbers or booleans; every level must have one length.
func flattenJSON(v any) (data []float64, shape []int, err error) {
	switch v := v.(type) {
	case float64:
		return []float64{v}, nil, nil
	case bool:
		if v {
			return []float64{1}, nil, nil
		}
		return []float64{0}, nil, nil
	case []any:
		var inner []int
		for i, e := range v {
			d, s, err := flattenJSON(e)
			if err != nil {
				return nil, nil, err
			}
			if i > 0 && fmt.Sprint(s) != fmt.Sprint(inner) {
				return nil, nil, fmt.Errorf("the nested lists have different lengths")
			}
			data, inner = append(data, d...), s
		}
		return data, append([]int{len(v)}, inner...), nil
	}
	return nil, nil, fmt.Errorf("%T is not a number", v)
}

// toJSON nests the elements of t as JSON arrays. NaN and infinities, which JSON lacks, become strings.
func toJSON(t *tensor.Tensor) (any, error) {
	if t.Kind() != tensor.KindTensor {
		list := []any{}
		for _, e := range t.Elems() {
			v, err := toJSON(e)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	flat := make([]any, t.Len())
	switch t.DType() {
	case tensor.String:
		for i, s := range tensor.View[string](t) {
			flat[i] = s
		}
	case tensor.Bool:
		for i, b := range tensor.View[bool](t) {
			flat[i] = b
		}
	case tensor.Int64:
		for i, x := range tensor.View[int64](t) {
			flat[i] = json.Number(strconv.FormatInt(x, 10))
		}
	case tensor.Float32:
		for i, x := range tensor.View[float32](t) {
			flat[i] = jsonFloat(float64(x), 32)
		}
	default:
		v, ok := accuracy.Floats(t)
		if !ok {
			return nil, fmt.Errorf("%v does not fit JSON; write .pb", t)
		}
		for i, x := range v {
			flat[i] = jsonFloat(x, 64)
		}
	}
	return nest(flat, t.Shape()), nil
}

func jsonFloat(x float64, bits int) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strconv.FormatFloat(x, 'g', -1, bits)
	}
	return json.Number(strconv.FormatFloat(x, 'g', -1, bits))
}

func nest(flat []any, shape []int) any {
	if len(shape) == 0 {
		return flat[0]
	}
	if len(shape) == 1 {
		return flat
	}
	rows := make([]any, shape[0])
	if shape[0] == 0 {
		return rows
	}
	n := len(flat) / shape[0]
	for i := range rows {
		rows[i] = nest(flat[i*n:(i+1)*n], shape[1:])
	}
	return rows
}
