// Package qrun runs ONNX models without cgo and makes them small and fast by dynamic int8 quantization.
//
//	s, err := qrun.Open("model.onnx", &qrun.Options{Quantize: qrun.Dynamic})
//	...
//	out, err := s.Run(ctx, qrun.Tensors{"input_ids": ids})
//
// A Session is immutable and safe for any number of goroutines. It needs no Close: nothing runs between Runs, and its
// memory is the garbage collector's.
package qrun
