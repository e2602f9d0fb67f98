// Package onnx reads and writes ONNX files: models, their external data, and the tensors of test data sets. It knows
// the format and no operator. The message types (ModelProto, GraphProto, ...) are generated from onnx.proto.
package onnx
