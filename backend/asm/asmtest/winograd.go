package asmtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Winograd is one call of a transform.
type Winograd struct {
	Gemm
	Winograd asm.ArgsWinograd
}

// WinogradCases are calls for a kernel, of one to three vectors and channels.
func WinogradCases(d asm.Kernel) []*Winograd {
	lanes := 8
	if d.ISA == asm.AVX512 {
		lanes = 16
	}
	if d.ISA == asm.NEON {
		lanes = 4
	}
	input := strings.Contains(d.Name, "Input")
	var cases []*Winograd
	for i := range 9 {
		g := &Winograd{}
		r := maker{rand.New(rand.NewPCG(uint64(i), 9)), &g.Gemm}
		n, channels := 1+i%3, 1+i/3
		tiles := n * lanes
		a := &g.Winograd
		*a = asm.ArgsWinograd{Scratch: unsafe.SliceData(buffer[float32](r, 576, true)), N: int64(n), Channels: int64(channels), Lanes: int64(lanes), Lo: -1e30, Hi: 1e30}
		planes := channels * tiles // elements of one of the 36 matrices
		a.StepF = int64(4 * planes)
		if input {
			row := 4*tiles + 12
			a.Input, a.StepRow, a.NextRow, a.StepSrc, a.StepDst = 1, int64(4*row), 16, int64(16*row), int64(4*tiles)
			a.Src = fill(r, 4*row*channels+4, r.float)
			g.Result = buffer[float32](r, 36*planes, true)
		} else {
			a.Src = fill(r, 36*planes, r.float)
			a.StepRow, a.StepDst, a.StepSrc = int64(16*tiles), int64(64*tiles), int64(4*tiles)
			g.Result = buffer[float32](r, 16*planes, true)
			if i%2 == 0 {
				a.Bias = fill(r, channels, r.float)
				a.Lo, a.Hi = 0, 6
			}
		}
		g.Args.LDC = int64(4 * tiles)
		a.Dst = unsafe.SliceData(g.Result)
		g.Name = fmt.Sprintf("%s vectors=%d channels=%d", d.Name, n, channels)
		g.Take()
		cases = append(cases, g)
	}
	return cases
}
