package onnx

//go:generate go -C protogen run . ..
