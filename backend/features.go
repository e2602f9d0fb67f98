package backend

import "github.com/qrun-onnx/qrun/backend/asm"

// Features lists the instruction sets of this CPU that kernels use or could use.
func Features() []string { return asm.Features() }
