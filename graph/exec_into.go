package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/qrun-onnx/qrun/tensor"
)

// OutputError is the error of a run into tensors of the caller of which one is not an output, or does not fit it.
type OutputError struct {
	Output string // name
	Text   string // the whole message
}

func (e *OutputError) Error() string { return e.Text }

// RunInto is Run into tensors that the caller has, some or all of the outputs by name. Each has exactly the type and shape
// that the output gets, and shares memory with no input and no other output. A warm run whose shapes follow from those of
// the inputs allocates nothing: the operators write to these tensors. After an error their elements are undefined. Errors
// are *OutputError too.
func (e *Executable) RunInto(ctx context.Context, inputs, outputs map[string]*tensor.Tensor, opts *RunOptions) error {
	rs := e.acquire()
	err := e.checkInputs(inputs, rs.in)
	if err == nil {
		err = e.checkOutputs(outputs, rs)
	}
	if err != nil {
		e.putBack(rs)
		return err
	}
	_, err = e.run(ctx, rs, opts)
	return err
}

// checkOutputs puts the caller's tensors into the order of the graph's outputs.
func (e *Executable) checkOutputs(given map[string]*tensor.Tensor, rs *runState) error {
	if rs.into == nil {
		rs.into = make([]*tensor.Tensor, len(e.graph.Outputs))
	}
	rs.direct = true
	found := 0
	for i, v := range e.graph.Outputs {
		t, ok := given[v.Name]
		if !ok {
			continue
		}
		found++
		switch {
		case t == nil || t.Kind() != tensor.KindTensor:
			return &OutputError{v.Name, fmt.Sprintf("output %q is to be written into a tensor, got %v", v.Name, describe(t))}
		case v.Spec.Kind != tensor.KindTensor:
			return &OutputError{v.Name, fmt.Sprintf("output %q is %v, which only Run returns", v.Name, v.Spec)}
		case v.Spec.DType != tensor.Undefined && t.DType() != v.Spec.DType:
			return misfit(v, v.Spec, t)
		}
		for k, in := range rs.in {
			if in != nil && t.Overlaps(in) {
				return &OutputError{v.Name, fmt.Sprintf("the tensor for output %q shares memory with input %q", v.Name, e.graph.Inputs[k].Name)}
			}
		}
		for k, o := range rs.into[:i] {
			if o != nil && t.Overlaps(o) {
				return &OutputError{v.Name, fmt.Sprintf("the tensors for outputs %q and %q share memory", e.graph.Outputs[k].Name, v.Name)}
			}
		}
		rs.into[i] = t
	}
	if found == len(given) {
		return nil
	}
	names, known := slices.Sorted(maps.Keys(given)), []string{}
	for _, v := range e.graph.Outputs {
		known = append(known, strconv.Quote(v.Name))
		names = slices.DeleteFunc(names, func(n string) bool { return n == v.Name })
	}
	return &OutputError{names[0], fmt.Sprintf("no output is named %q (there are: %s)", names[0], strings.Join(known, ", "))}
}

func misfit(v *Value, is fmt.Stringer, given *tensor.Tensor) error {
	return &OutputError{v.Name, fmt.Sprintf("output %q is %v, the tensor given for it %v", v.Name, is, given.Spec())}
}

// bindInto gives the caller's tensors to the values that operators write there, and checks those whose shape is known.
func (f *execFrame) bindInto(b *binding) error {
	if b.headers == nil {
		b.headers = make([]*tensor.Tensor, len(b.plan.outs))
	}
	for i, o := range b.plan.outs {
		t, v := f.rs.into[i], &b.plan.values[o.value]
		if t == nil {
			continue
		}
		if v.shape != nil && (t.DType() != v.spec.DType || !slices.Equal(t.Shape(), v.shape)) {
			return misfit(f.prog.values[o.value], v.spec, t)
		}
		if o.copy || v.store != storeHeap {
			continue
		}
		root := b.plan.rootOf(o.value)
		if b.headers[i] == nil {
			r := &b.plan.values[root]
			b.headers[i] = tensor.Header(r.spec.DType, r.shape...)
		}
		b.headers[i].Share(t)
		b.values[root] = b.headers[i]
	}
	return nil
}

// deliver copies to the caller's tensors what operators did not write there.
func (f *execFrame) deliver() error {
	b := f.now
	for i, o := range b.plan.outs {
		t, got := f.rs.into[i], b.values[o.value]
		if t == nil {
			continue
		}
		v := f.prog.values[o.value]
		if got == nil {
			return fmt.Errorf("output %q has no value", v.Name)
		}
		if h := b.headers[i]; h != nil && got.Overlaps(h) || got.Overlaps(t) {
			continue
		}
		if !got.CopyTo(t) {
			return misfit(v, got.Spec(), t)
		}
	}
	return nil
}
