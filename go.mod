module github.com/qrun-onnx/qrun

go 1.26
