package onnx

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Packed float_data are taken out as raw_data is; every other form of them is left to the protobuf library, and all give
// the same message.
func TestFloatDataIsTakenOut(t *testing.T) {
	want := make([]float32, 600)
	for i := range want {
		want[i] = float32(i) - 0.5
	}
	encode := func(p *TensorProto, more ...byte) []byte {
		b, err := proto.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return append(b, more...)
	}
	packed := func(v []float32) []byte {
		b := encode(&TensorProto{FloatData: v})
		return b
	}
	head := func(dims ...int64) *TensorProto {
		return &TensorProto{Dims: dims, DataType: proto.Int32(int32(TensorProto_FLOAT)), Name: proto.String("w")}
	}
	for _, c := range []struct {
		name   string
		tensor []byte
		taken  bool
	}{
		{"packed", encode(head(20, 30), packed(want)...), true},
		{"packed, in front", append(packed(want), encode(head(600))...), true},
		{"two parts", encode(head(600), append(packed(want[:300]), packed(want[300:])...)...), false},
		{"too few for the shape", encode(head(601), packed(want)...), false},
		{"dimensions that overflow", encode(head(1<<40, 1<<40, 600), packed(want)...), false},
		{"negative dimension", encode(head(-600), packed(want)...), false},
		{"no type", encode(&TensorProto{Dims: []int64{600}}, packed(want)...), false},
		{"raw_data too", encode(&TensorProto{Dims: []int64{600}, DataType: proto.Int32(1), RawData: []byte{1, 2, 3, 4}}, packed(want)...), false},
		{"one element not packed", encode(head(600), append(packed(want[:599]), protowire.AppendFixed32(protowire.AppendTag(nil, 4, protowire.Fixed32Type), 0x4415e000)...)...), false},
	} {
		if got := onlyPackedFloats(c.tensor); got != c.taken {
			t.Errorf("%s: taken out: %v", c.name, got)
		}
		g := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), c.tensor)
		m, err := decodeModel(protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), g))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		p, plain := m.Graph.Initializer[0], &TensorProto{}
		if err := proto.Unmarshal(c.tensor, plain); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(p, plain) || c.taken && !slices.Equal(p.FloatData, want) {
			t.Errorf("%s: another tensor than the protobuf library reads", c.name)
		}
	}
}
