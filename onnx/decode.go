package onnx

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// decodeModel makes the messages of an encoded model. Every RawData in them is a view of data.
func decodeModel(data []byte) (*ModelProto, error) {
	switch {
	case len(data) == 0:
		return nil, formatErr("it is empty")
	case len(data) > maxFile:
		return nil, formatErr("it has %d bytes, more than the %d that the format allows", len(data), maxFile)
	case bytes.HasPrefix(data, []byte("version https://git-lfs")):
		return nil, formatErr("it is a Git LFS pointer; `git lfs pull` fetches the model")
	}
	skeleton, raws, err := skeletonOf(data, modelKind)
	if err != nil {
		return nil, err
	}
	m := &ModelProto{}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(skeleton, m); err != nil {
		return nil, formatErr("%v", err)
	}
	if m.Graph == nil {
		return nil, formatErr("it holds no graph")
	}
	EachTensor(m, func(t *TensorProto) {
		if t.RawData != nil {
			i, _ := protowire.ConsumeVarint(t.RawData)
			if t.RawData = raws[i].data; raws[i].floats {
				t.FloatData, t.RawData = floatsOf(raws[i].data), nil
			}
		}
	})
	return m, nil
}

// EachTensor calls f for every TensorProto of the model: initializers, the parts of sparse ones, and attributes, in
// the graph, its subgraphs, the functions and the training information.
func EachTensor(m *ModelProto, f func(*TensorProto)) {
	eachInGraph(m.GetGraph(), f)
	for _, fn := range m.GetFunctions() {
		eachInNodes(fn.GetNode(), f)
		eachInAttributes(fn.GetAttributeProto(), f)
	}
	for _, t := range m.GetTrainingInfo() {
		eachInGraph(t.GetInitialization(), f)
		eachInGraph(t.GetAlgorithm(), f)
	}
}

func eachInGraph(g *GraphProto, f func(*TensorProto)) {
	for _, t := range g.GetInitializer() {
		f(t)
	}
	eachInSparse(g.GetSparseInitializer(), f)
	eachInNodes(g.GetNode(), f)
}

func eachInSparse(list []*SparseTensorProto, f func(*TensorProto)) {
	for _, s := range list {
		if s.GetValues() != nil {
			f(s.Values)
		}
		if s.GetIndices() != nil {
			f(s.Indices)
		}
	}
}

func eachInNodes(nodes []*NodeProto, f func(*TensorProto)) {
	for _, n := range nodes {
		eachInAttributes(n.GetAttribute(), f)
	}
}

func eachInAttributes(attrs []*AttributeProto, f func(*TensorProto)) {
	for _, a := range attrs {
		if a.GetT() != nil {
			f(a.T)
		}
		for _, t := range a.GetTensors() {
			f(t)
		}
		if a.GetSparseTensor() != nil {
			eachInSparse([]*SparseTensorProto{a.SparseTensor}, f)
		}
		eachInSparse(a.GetSparseTensors(), f)
		if a.GetG() != nil {
			eachInGraph(a.G, f)
		}
		for _, g := range a.GetGraphs() {
			eachInGraph(g, f)
		}
	}
}
