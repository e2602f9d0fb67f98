package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func rawTensor(name string, raw string) *TensorProto {
	return &TensorProto{Name: &name, DataType: new(int32(TensorProto_UINT8)), Dims: []int64{int64(len(raw))}, RawData: []byte(raw)}
}

// everywhere is a model with a tensor in every place that can hold one, and unknown fields at several depths.
func everywhere() *ModelProto {
	unknown := protowire.AppendBytes(protowire.AppendTag(nil, 4000, protowire.BytesType), []byte("of a later version"))
	sparse := func(name string) *SparseTensorProto {
		return &SparseTensorProto{Values: rawTensor(name, "vv"), Indices: rawTensor(name+".at", "i"), Dims: []int64{4}}
	}
	body := &GraphProto{Name: new("body"), Initializer: []*TensorProto{rawTensor("in body", "b1")}}
	node := &NodeProto{OpType: new("If"), Input: []string{"c", ""}, Output: []string{"y"}, Attribute: []*AttributeProto{
		{Name: new("then_branch"), Type: AttributeProto_GRAPH.Enum(), G: body},
		{Name: new("graphs"), Type: AttributeProto_GRAPHS.Enum(), Graphs: []*GraphProto{body, {}}},
		{Name: new("t"), Type: AttributeProto_TENSOR.Enum(), T: rawTensor("attribute", strings.Repeat("t", 130))},
		{Name: new("ts"), Type: AttributeProto_TENSORS.Enum(), Tensors: []*TensorProto{rawTensor("first", "1"), rawTensor("second", "")}},
		{Name: new("st"), Type: AttributeProto_SPARSE_TENSOR.Enum(), SparseTensor: sparse("sparse")},
		{Name: new("sts"), Type: AttributeProto_SPARSE_TENSORS.Enum(), SparseTensors: []*SparseTensorProto{sparse("more"), {}}},
		{Name: new("f"), Type: AttributeProto_FLOAT.Enum(), F: new(float32(0))},
	}}
	typed := &TensorProto{Name: new("typed"), DataType: new(int32(TensorProto_FLOAT)), Dims: []int64{2}, FloatData: []float32{1, 2}}
	graph := &GraphProto{Name: new("main"), Node: []*NodeProto{node}, Initializer: []*TensorProto{rawTensor("w", "weights"), typed},
		SparseInitializer: []*SparseTensorProto{sparse("sw")}}
	node.ProtoReflect().SetUnknown(unknown)
	graph.Initializer[0].ProtoReflect().SetUnknown(unknown)
	m := &ModelProto{IrVersion: new(int64(13)), ProducerName: new("not utf-8: \xff"), Graph: graph,
		OpsetImport:  []*OperatorSetIdProto{{Domain: new(""), Version: new(int64(25))}},
		Functions:    []*FunctionProto{{Name: new("f"), Node: []*NodeProto{node}, AttributeProto: node.Attribute[2:3]}},
		TrainingInfo: []*TrainingInfoProto{{Initialization: &GraphProto{}, Algorithm: body}},
	}
	m.ProtoReflect().SetUnknown(unknown)
	return m
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	want := everywhere()
	data := marshal(t, want)
	m, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m.Proto, want) {
		t.Errorf("decoded:\n%v\nwant:\n%v", m.Proto, want)
	}
	before := proto.Clone(m.Proto)
	got, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("encoded to %d bytes that differ from the %d given", len(got), len(data))
	}
	if !proto.Equal(m.Proto, before) {
		t.Error("encoding changed the model")
	}
}

// Raw data are views, all of them, with no capacity beyond their end.
func TestRawDataIsView(t *testing.T) {
	data := marshal(t, everywhere())
	m, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	lo := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	count := 0
	EachTensor(m.Proto, func(p *TensorProto) {
		if len(p.RawData) == 0 {
			return
		}
		count++
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(p.RawData))); at < lo || at >= lo+uintptr(len(data)) {
			t.Errorf("%s: raw data are a copy", p.GetName())
		}
		if cap(p.RawData) != len(p.RawData) {
			t.Errorf("%s: an append would write into the file", p.GetName())
		}
	})
	if count < 20 {
		t.Errorf("met %d tensors with data, want those in every place", count)
	}
}

// A field given twice: the last one counts, as protobuf has it, and messages are merged.
func TestRepeatedSingularFields(t *testing.T) {
	attr := marshal(t, &AttributeProto{T: rawTensor("a", "old")})
	attr = append(attr, marshal(t, &AttributeProto{T: &TensorProto{RawData: []byte("new")}})...)
	node := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), attr)
	graph := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), node)
	m, err := Decode(protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), graph))
	if err != nil {
		t.Fatal(err)
	}
	p := m.Proto.Graph.Node[0].Attribute[0].T
	if p.GetName() != "a" || string(p.RawData) != "new" {
		t.Errorf("got %v", p)
	}
}

func TestTruncated(t *testing.T) {
	data := marshal(t, everywhere())
	for n := range data {
		m, err := Decode(data[:n:n])
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("cut at %d: %v, want ErrFormat", n, err)
			}
			continue
		}
		// Cut between two fields of the model: what is left is a model.
		if _, err := m.Bytes(); err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

// Every byte set to values that make lengths long, tags odd and varints endless.
func TestCorrupt(t *testing.T) {
	data := marshal(t, everywhere())
	for i := range data {
		for _, b := range []byte{0x7f, 0xff, data[i] ^ 1} {
			bad := bytes.Clone(data)
			bad[i] = b
			useModel(t, bad)
		}
	}
}

// useModel decodes data and does all that can be done with the result; errors are fine, panics are not.
func useModel(t testing.TB, data []byte) {
	m, err := Decode(data)
	if err != nil {
		if !errors.Is(err, ErrFormat) {
			t.Fatalf("%v, want ErrFormat", err)
		}
		return
	}
	EachTensor(m.Proto, func(p *TensorProto) { m.Tensor(p) })
	for _, s := range m.Proto.Graph.SparseInitializer {
		if n := int64(1); len(s.Dims) < 3 {
			for _, d := range s.Dims {
				n *= d
			}
			if n < 1<<16 { // larger ones are slow, not wrong
				m.Sparse(s)
			}
		}
	}
	for _, v := range m.Proto.Graph.Input {
		if s, err := SpecOf(v.Type); err == nil {
			TypeOf(s)
		}
	}
	again, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(again)
	if err != nil {
		t.Fatalf("encoded model does not decode: %v", err)
	}
	twice, err := back.Bytes()
	if err != nil || !bytes.Equal(twice, again) {
		t.Fatalf("a second round changed the bytes: %v", err)
	}
}

// Run with -fuzzminimizetime 20x: the default spends its time on making inputs smaller.
func FuzzDecode(f *testing.F) {
	f.Add(marshal(f, everywhere()))
	f.Add(marshal(f, &ModelProto{Graph: &GraphProto{Initializer: []*TensorProto{rawTensor("w", "123")}}}))
	if data, err := os.ReadFile(filepath.Join("testdata", "types.onnx")); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { useModel(t, data) })
}

func TestNotAModel(t *testing.T) {
	deep := []byte{}
	for range 200 { // graph{node{attribute{graph{...
		for _, num := range []protowire.Number{6, 5, 1} {
			deep = protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), deep)
		}
	}
	deepType := []byte{}
	for range 400 { // sequence(sequence(...
		deepType = protowire.AppendBytes([]byte{4<<3 | 2}, protowire.AppendBytes([]byte{1<<3 | 2}, deepType))
	}
	in := func(num protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), b)
	}
	for _, c := range []struct {
		name, data, want string
	}{
		{"empty", "", "it is empty"},
		{"text", "<html>not found</html>", "byte"},
		{"Git LFS", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
		{"no graph", "\x08\x07", "no graph"},
		{"length past the end", "\x3a\xff\xff\xff\xff\x07", "byte 0"},
		{"length past the message", string(in(7, []byte{0x2a, 0x7f, 0x4a})), "graph: unexpected EOF at byte 2"},
		{"subgraphs", string(in(7, deep)), "nested deeper"},
		{"types", string(in(7, in(11, in(2, deepType)))), "recursion"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode([]byte(c.data))
			if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("%v, want ErrFormat with %q", err, c.want)
			}
		})
	}
}
