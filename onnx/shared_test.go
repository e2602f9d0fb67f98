package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/qrun-onnx/qrun/tensor"
)

// sharedModels lists the .onnx files of the shared test material, and skips the test where there is none.
func sharedModels(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("QRUN_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	files, err := filepath.Glob(filepath.Join(dir, "models", "*", "*", "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no shared models: set QRUN_SHARED")
	}
	return files
}

// Every real model decodes, all its tensors have values, and encoding it again gives bytes that decode to an equal
// message. Files whose writer kept the fields in order come back byte for byte.
func TestSharedModels(t *testing.T) {
	for _, file := range sharedModels(t) {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			m, err := Open(file)
			if err != nil {
				t.Fatal(err)
			}
			EachTensor(m.Proto, func(p *TensorProto) {
				v, err := m.Tensor(p)
				if err != nil {
					t.Error(err)
					return
				}
				if v.DType() != tensor.DType(p.GetDataType()) || v.Rank() != len(p.GetDims()) {
					t.Errorf("%s: got %v, want dims %v", p.GetName(), v, p.GetDims())
				}
			})
			for _, list := range [][]*ValueInfoProto{m.Proto.Graph.Input, m.Proto.Graph.Output, m.Proto.Graph.ValueInfo} {
				for _, v := range list {
					if _, err := SpecOf(v.Type); err != nil {
						t.Errorf("%s: %v", v.GetName(), err)
					}
				}
			}
			original, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(got, original) {
				return
			}
			// Another order of fields: compare as messages, through the plain protobuf decoder.
			want, back := &ModelProto{}, &ModelProto{}
			if err := proto.Unmarshal(original, want); err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(got, back); err != nil {
				t.Fatal(err)
			}
			if len(got) != len(original) || !proto.Equal(want, back) {
				t.Errorf("%d bytes become %d that are not the same model", len(original), len(got))
			}
			t.Log("same message, other order of fields")
		})
	}
}
