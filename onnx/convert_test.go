package onnx

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/qrun-onnx/qrun/tensor"
)

// Every element type, as the Python package writes it: raw data and typed fields give the same bytes.
func TestTypesOfPythonPackage(t *testing.T) {
	m, err := Open(filepath.Join("testdata", "types.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, e := range m.Proto.MetadataProps {
		want[e.GetKey()] = e.GetValue()
	}
	seen := map[tensor.DType]bool{}
	for _, p := range m.Proto.Graph.Initializer {
		v, err := m.Tensor(p)
		if err != nil {
			t.Error(err)
			continue
		}
		seen[v.DType()] = true
		if v.DType() == tensor.String {
			if got := tensor.View[string](v); !slices.Equal(got, []string{"a", "böse"}) || !slices.Equal(v.Shape(), []int{2, 1}) {
				t.Errorf("%s: %q %v", p.GetName(), got, v)
			}
			continue
		}
		name, _, _ := strings.Cut(p.GetName(), "_")
		raw, err := hex.DecodeString(want[name])
		if err != nil {
			t.Fatal(err)
		}
		host := make([]byte, len(raw))
		copyUnits(host, raw, unitOf(v.DType()))
		if !bytes.Equal(v.Bytes(), host) || !slices.Equal(v.Shape(), []int{5}) {
			t.Errorf("%s: %v of bytes %x, want %x", p.GetName(), v, v.Bytes(), host)
		}
		if back, err := NewTensorProto("x", v); err != nil || !bytes.Equal(back.RawData, raw) || back.GetDataType() != p.GetDataType() {
			t.Errorf("%s: encoded to %v, %v", p.GetName(), back, err)
		}
	}
	for d := tensor.Float32; d.Valid(); d++ {
		if !seen[d] {
			t.Errorf("no tensor of %v", d)
		}
	}
}

func TestTensorErrors(t *testing.T) {
	const f, s = int32(TensorProto_FLOAT), int32(TensorProto_STRING)
	for _, c := range []struct {
		name string
		p    *TensorProto
		want string
	}{
		{"no type", &TensorProto{}, "0 is not an element type"},
		{"unknown type", &TensorProto{DataType: new(int32(27))}, "27 is not"},
		{"type beyond a byte", &TensorProto{DataType: new(int32(256 + 1))}, "257 is not"},
		{"negative type", &TensorProto{DataType: new(int32(-255))}, "-255 is not"},
		{"negative dimension", &TensorProto{DataType: new(f), Dims: []int64{2, -1}}, "negative"},
		{"product overflows to 0", &TensorProto{DataType: new(f), Dims: []int64{1 << 32, 1 << 32}}, "too many elements"},
		{"product overflows to 4", &TensorProto{DataType: new(f), Dims: []int64{math.MaxInt64, 4}, RawData: make([]byte, 16)}, "too many elements"},
		{"large but no data", &TensorProto{DataType: new(int32(TensorProto_COMPLEX128)), Dims: []int64{1 << 26}}, "takes 134217728 values in double_data, got 0"},
		{"raw data short", &TensorProto{DataType: new(f), Dims: []int64{3}, RawData: make([]byte, 11)}, "float32[3] takes 12 bytes, got 11"},
		{"raw data long", &TensorProto{DataType: new(f), RawData: make([]byte, 8)}, "takes 4 bytes, got 8"},
		{"raw data in empty tensor", &TensorProto{DataType: new(f), Dims: []int64{0}, RawData: make([]byte, 4)}, "takes 0 bytes"},
		{"packed raw data", &TensorProto{DataType: new(int32(TensorProto_INT4)), Dims: []int64{3}, RawData: make([]byte, 3)}, "takes 2 bytes, got 3"},
		{"strings", &TensorProto{DataType: new(s), Dims: []int64{2}, StringData: [][]byte{nil}}, "string[2]"},
		{"strings as raw data", &TensorProto{DataType: new(s), Dims: []int64{2}, RawData: []byte("ab")}, "string[2]"},
		{"uint8 below 0", &TensorProto{DataType: new(int32(TensorProto_UINT8)), Dims: []int64{2}, Int32Data: []int32{0, -1}}, "value 1 of uint8[2] is -1"},
		{"int8 above 127", &TensorProto{DataType: new(int32(TensorProto_INT8)), Int32Data: []int32{128}}, "128"},
		{"uint32 above 32 bits", &TensorProto{DataType: new(int32(TensorProto_UINT32)), Uint64Data: []uint64{1 << 32}}, "does not fit"},
		{"bool of 2", &TensorProto{DataType: new(int32(TensorProto_BOOL)), Int32Data: []int32{2}}, "want 0 or 1"},
		{"wrong field", &TensorProto{DataType: new(f), Dims: []int64{1}, Int32Data: []int32{1}}, "float_data"},
		{"segment", &TensorProto{DataType: new(f), Segment: &TensorProto_Segment{}}, "segments"},
		{"external without a directory", &TensorProto{DataType: new(f), DataLocation: TensorProto_EXTERNAL.Enum(),
			ExternalData: []*StringStringEntryProto{{Key: new("location"), Value: new("x")}}}, "nowhere to look"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.p.Name = new("the weight")
			v, err := (&Model{}).Tensor(c.p)
			if err == nil {
				t.Fatalf("got %v, want an error", v)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `tensor "the weight"`) {
				t.Errorf("%v, want one with %q and the name", err, c.want)
			}
		})
	}
}

// Data at any alignment give the same tensor; aligned data are shared.
func TestAlignment(t *testing.T) {
	values := []float64{1, -2, 3.5}
	enc, err := NewTensorProto("x", mustOf(t, values))
	if err != nil {
		t.Fatal(err)
	}
	buf := tensor.AlignedBytes(64)
	for shift := range 16 {
		raw := buf[shift : shift+24]
		copy(raw, enc.RawData)
		v, err := (&Model{}).Tensor(&TensorProto{DataType: new(int32(TensorProto_DOUBLE)), Dims: []int64{3}, RawData: raw})
		if err != nil {
			t.Fatal(err)
		}
		if got := tensor.View[float64](v); !slices.Equal(got, values) {
			t.Errorf("shift %d: %v", shift, got)
		}
		shared := unsafe.SliceData(v.Bytes()) == unsafe.SliceData(raw)
		if want := littleEndian && shift%8 == 0; shared != want {
			t.Errorf("shift %d: shared %v, want %v", shift, shared, want)
		}
	}
}

// Large data are shared at any alignment where the processor reads numbers there.
func TestLargeUnalignedDataAreShared(t *testing.T) {
	const n = unalignedBytes / 4
	buf := tensor.AlignedBytes(4*n + 4)
	raw := buf[3 : 3+4*n]
	copy(raw[4:], []byte{0, 0, 0x20, 0xc0})
	v, err := (&Model{}).Tensor(&TensorProto{DataType: new(int32(TensorProto_FLOAT)), Dims: []int64{n}, RawData: raw})
	if err != nil {
		t.Fatal(err)
	}
	if got := tensor.View[float32](v); got[1] != -2.5 || len(got) != n {
		t.Errorf("%d elements, %v", len(got), got[:2])
	}
	_, err = tensor.FromUnaligned(tensor.Float32, raw, n)
	if shared := unsafe.SliceData(v.Bytes()) == unsafe.SliceData(raw); shared != (err == nil && littleEndian) {
		t.Errorf("shared %v", shared)
	}
}

// A byte of a bool that is neither 0 nor 1 would make Go code misbehave.
func TestBoolBytes(t *testing.T) {
	raw := []byte{0, 1, 2, 255}
	v, err := (&Model{}).Tensor(&TensorProto{DataType: new(int32(TensorProto_BOOL)), Dims: []int64{4}, RawData: raw})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(v.Bytes(), []byte{0, 1, 1, 1}) || raw[2] != 2 {
		t.Errorf("got %v from %v", v.Bytes(), raw)
	}
}

func TestScalarsAndEmptyTensors(t *testing.T) {
	for _, c := range []struct {
		p    *TensorProto
		want []int
	}{
		{&TensorProto{DataType: new(int32(TensorProto_INT64)), Int64Data: []int64{7}}, []int{}},
		{&TensorProto{DataType: new(int32(TensorProto_INT64)), RawData: make([]byte, 8)}, []int{}},
		{&TensorProto{DataType: new(int32(TensorProto_FLOAT)), Dims: []int64{2, 0, 3}}, []int{2, 0, 3}},
		{&TensorProto{DataType: new(int32(TensorProto_STRING)), Dims: []int64{0}}, []int{0}},
		{&TensorProto{DataType: new(int32(TensorProto_INT4)), Dims: []int64{0}, RawData: []byte{}}, []int{0}},
	} {
		v, err := (&Model{}).Tensor(c.p)
		if err != nil {
			t.Errorf("%v: %v", c.p, err)
		} else if !slices.Equal(v.Shape(), c.want) {
			t.Errorf("%v: shape %v, want %v", c.p, v.Shape(), c.want)
		}
	}
}

func TestSparse(t *testing.T) {
	sparse := func(values, at *tensor.Tensor, dims ...int64) *SparseTensorProto {
		v, err1 := NewTensorProto("s", values)
		i, err2 := NewTensorProto("", at)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return &SparseTensorProto{Values: v, Indices: i, Dims: dims}
	}
	for name, p := range map[string]*SparseTensorProto{
		"positions":   sparse(mustOf(t, []float32{5, 7}), mustOf(t, []int64{1, 5}), 2, 3),
		"coordinates": sparse(mustOf(t, []float32{7, 5}), mustOf(t, []int64{1, 2, 0, 1}, 2, 2), 2, 3),
	} {
		v, err := (&Model{}).Sparse(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensor.View[float32](v); !slices.Equal(got, []float32{0, 5, 0, 0, 0, 7}) || !slices.Equal(v.Shape(), []int{2, 3}) {
			t.Errorf("%s: %v %v", name, v, got)
		}
	}
	if v, err := (&Model{}).Sparse(sparse(mustOf(t, []string{"x"}, 1), mustOf(t, []int64{1}, 1), 2)); err != nil || tensor.View[string](v)[1] != "x" {
		t.Errorf("strings: %v, %v", v, err)
	}
	if v, err := (&Model{}).Sparse(sparse(mustOf(t, []float32{}, 0), mustOf(t, []int64{}, 0), 3)); err != nil || v.Len() != 3 {
		t.Errorf("no values: %v, %v", v, err)
	}
	one := mustOf(t, []float32{1}, 1)
	for name, c := range map[string]struct {
		p    *SparseTensorProto
		want string
	}{
		"empty":            {&SparseTensorProto{}, "not an element type"},
		"outside":          {sparse(one, mustOf(t, []int64{6}, 1), 2, 3), "index 0 is 6, outside of 0 to 5"},
		"outside in a row": {sparse(one, mustOf(t, []int64{0, 3}, 1, 2), 2, 3), "index 0 is 3, outside of 0 to 2"},
		"negative":         {sparse(one, mustOf(t, []int64{-1}, 1), 2, 3), "index 0 is -1"},
		"twice":            {sparse(mustOf(t, []float32{1, 2}), mustOf(t, []int64{1, 1}), 4), "index 1"},
		"too few":          {sparse(mustOf(t, []float32{1, 2}), mustOf(t, []int64{1}, 1), 4), "want [2] or [2 1]"},
		"of int32":         {sparse(one, mustOf(t, []int32{1}, 1), 4), "want int64"},
		"huge":             {sparse(mustOf(t, []string{"x"}, 1), mustOf(t, []int64{1}, 1), 50<<20, 2), "not supported"},
		"overflow":         {sparse(one, mustOf(t, []int64{1}, 1), 1<<40, 1<<40), "too many elements"},
		"packed":           {sparse(mustNew(t, tensor.Int4, 1), mustOf(t, []int64{1}, 1), 4), "not supported"},
		"a matrix":         {sparse(mustOf(t, []float32{1}, 1, 1), mustOf(t, []int64{1}, 1), 4), "one dimension"},
	} {
		if _, err := (&Model{}).Sparse(c.p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func mustOf[T tensor.Element](t testing.TB, data []T, shape ...int) *tensor.Tensor {
	t.Helper()
	v, err := tensor.Of(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustNew(t testing.TB, d tensor.DType, shape ...int) *tensor.Tensor {
	t.Helper()
	v, err := tensor.New(d, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
