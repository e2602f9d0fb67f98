package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// convWindow is how a kernel moves over one to three spatial dimensions.
type convWindow struct {
	kernel, strides, dilations, pads []int // nil: not given
	auto                             string
	ceil                             bool // the last, partial position counts too
}

func newConvWindow(a *graph.Attrs) (convWindow, error) {
	w := convWindow{auto: a.OneOf("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")}
	for _, x := range []struct {
		name string
		dst  *[]int
		lo   int64
	}{{"kernel_shape", &w.kernel, 1}, {"strides", &w.strides, 1}, {"dilations", &w.dilations, 1}, {"pads", &w.pads, 0}} {
		for _, v := range a.Ints(x.name) {
			if v < x.lo || v > 1<<31 {
				return w, fmt.Errorf("attribute %s has the value %d", x.name, v)
			}
			*x.dst = append(*x.dst, int(v))
		}
	}
	return w, nil
}

// check compares the attributes with the number of spatial dimensions.
func (w *convWindow) check(rank int) error {
	if rank < 1 || rank > 3 {
		return fmt.Errorf("%w: %d spatial dimensions, want one to three", graph.ErrUnsupported, rank)
	}
	for _, x := range []struct {
		name string
		v    []int
		n    int
	}{{"kernel_shape", w.kernel, rank}, {"strides", w.strides, rank}, {"dilations", w.dilations, rank}, {"pads", w.pads, 2 * rank}} {
		if x.v != nil && len(x.v) != x.n {
			return fmt.Errorf("%s %v has %d values, want %d for %d spatial dimensions", x.name, x.v, len(x.v), x.n, rank)
		}
	}
	return nil
}

// convAxis is the movement over one spatial dimension.
type convAxis struct {
	in, out, kernel, stride, dilate, before, after int
}

func (a *convAxis) padded() int { return a.in + a.before + a.after }

// axis computes the movement of a kernel over dimension i of rank dimensions, which has size in.
func (w *convWindow) axis(i, rank, in, kernel int) (convAxis, error) {
	a := convAxis{in: in, kernel: kernel, stride: 1, dilate: 1}
	if w.strides != nil {
		a.stride = w.strides[i]
	}
	if w.dilations != nil {
		a.dilate = w.dilations[i]
	}
	reach := (kernel-1)*a.dilate + 1
	switch w.auto {
	case "SAME_UPPER", "SAME_LOWER":
		a.out = (in + a.stride - 1) / a.stride
		total := max(0, (a.out-1)*a.stride+reach-in)
		a.before = total / 2
		if w.auto == "SAME_LOWER" {
			a.before = total - total/2
		}
		a.after = total - a.before
		return a, nil
	case "NOTSET":
		if w.pads != nil {
			a.before, a.after = w.pads[i], w.pads[i+rank]
		}
	}
	room := a.padded() - reach
	if room < 0 {
		return a, fmt.Errorf("spatial dimension %d: size %d with padding %d and %d is smaller than the kernel's %d", i, in, a.before, a.after, reach)
	}
	a.out = room/a.stride + 1
	if w.ceil && room%a.stride != 0 && a.out*a.stride < in+a.before {
		a.out++ // only if the partial position starts inside the input or the padding before it
	}
	return a, nil
}

// axes are the movements over three spatial dimensions; missing ones in front have size 1.
func (w *convWindow) axes(x, kernel []int) (axes [3]convAxis) {
	rank := len(x) - 2
	for i := range axes {
		axes[i] = convAxis{in: 1, out: 1, kernel: 1, stride: 1, dilate: 1}
		if j := i - 3 + rank; j >= 0 {
			axes[i], _ = w.axis(j, rank, x[2+j], kernel[j]) // Infer has checked it
		}
	}
	return axes
}

// spatial sets dims[2:] from the sizes of the input and of the kernel as far as they are known.
func (w *convWindow) spatial(dims, in, kernel []tensor.Dim) error {
	for i := range in[2:] {
		dims[2+i] = tensor.AnyDim
		if !in[2+i].Known() || !kernel[i].Known() {
			continue
		}
		a, err := w.axis(i, len(in)-2, in[2+i].Size, kernel[i].Size)
		if err != nil {
			return err
		}
		dims[2+i] = tensor.Fixed(a.out)
	}
	return nil
}
