package ops

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// window is how a kernel moves over the spatial dimensions of convolution and pooling.
type window struct {
	kernel, strides, dilations []int // nil: not given; dilations and strides default to 1
	pads                       []int // begins, then ends; nil: none
	auto                       string
	ceil                       bool // the last, partial position counts too
}

// newWindow reads kernel_shape, strides, dilations, pads and auto_pad.
func newWindow(a *graph.Attrs) (window, error) {
	w := window{auto: a.OneOf("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")}
	for _, x := range []struct {
		name string
		dst  *[]int
		lo   int64
	}{{"kernel_shape", &w.kernel, 1}, {"strides", &w.strides, 1}, {"dilations", &w.dilations, 1}, {"pads", &w.pads, -1 << 31}} {
		for _, v := range a.Ints(x.name) {
			if v < x.lo || v > math.MaxInt32 {
				return w, fmt.Errorf("attribute %s has the value %d", x.name, v)
			}
			*x.dst = append(*x.dst, int(v))
		}
	}
	return w, nil
}

// check compares the attributes with the number of spatial dimensions.
func (w *window) check(rank int) error {
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

// axis is the movement over one spatial dimension.
type axis struct {
	in, out        int
	kernel         int
	stride, dilate int
	before, after  int // padding
}

// at returns attribute value i of a list that may be absent.
func at(list []int, i, def int) int {
	if list == nil {
		return def
	}
	return list[i]
}

// axis computes the movement of a kernel over dimension i of rank dimensions, which has size in.
func (w *window) axis(i, rank, in, kernel int) (axis, error) {
	a := axis{in: in, kernel: kernel, stride: at(w.strides, i, 1), dilate: at(w.dilations, i, 1)}
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
		a.before, a.after = at(w.pads, i, 0), at(w.pads, i+rank, 0)
	}
	room := in + a.before + a.after - reach
	if room < 0 {
		return a, fmt.Errorf("size %d with padding %d and %d is smaller than the kernel's %d", in, a.before, a.after, reach)
	}
	a.out = room/a.stride + 1
	if w.ceil && room%a.stride != 0 && a.out*a.stride < in+a.before {
		a.out++ // only if the partial position starts inside the input or the padding before it
	}
	return a, nil
}

// inferAxes sets dims[2:], the spatial sizes of the output, from those of the input.
func (w *window) inferAxes(dims []tensor.Dim, in []tensor.Dim, kernel []tensor.Dim) error {
	rank := len(in) - 2
	for i := range rank {
		dims[2+i] = tensor.AnyDim
		if !in[2+i].Known() || !kernel[i].Known() {
			continue
		}
		a, err := w.axis(i, rank, in[2+i].Size, kernel[i].Size)
		if err != nil {
			return fmt.Errorf("spatial dimension %d: %w", i, err)
		}
		dims[2+i] = tensor.Fixed(a.out)
	}
	return nil
}

// span returns the outputs lo <= o < hi of an axis whose input position o*stride + k*dilate - before lies in the input.
func (a *axis) span(k int) (lo, hi int) {
	off := k*a.dilate - a.before // input position of output 0
	if off < 0 {
		lo = (-off + a.stride - 1) / a.stride
	}
	if off < a.in {
		hi = (a.in-1-off)/a.stride + 1
	}
	hi = min(hi, a.out)
	return min(lo, hi), hi
}

// taps returns the kernel positions lo <= k < hi that meet the input at output o.
func (a *axis) taps(o int) (lo, hi int) {
	start := o*a.stride - a.before
	if start < 0 {
		lo = (-start + a.dilate - 1) / a.dilate
	}
	if start < a.in {
		hi = (a.in-1-start)/a.dilate + 1
	}
	hi = min(hi, a.kernel)
	return min(lo, hi), hi
}
