package graph

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/qrun-onnx/qrun/tensor"
)

// InputError is the error of a run that was given an input that is not known, is missing, or does not fit.
type InputError struct {
	Input string // name
	Text  string // the whole message
}

func (e *InputError) Error() string { return e.Text }

// checkInputs puts the inputs into the order of the graph's.
func (e *Executable) checkInputs(given map[string]*tensor.Tensor, in []*tensor.Tensor) error {
	found := 0
	for _, v := range e.graph.Inputs {
		if _, ok := given[v.Name]; ok {
			found++
		}
	}
	if found != len(given) {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			switch {
			case slices.ContainsFunc(e.graph.Inputs, func(v *Value) bool { return v.Name == name }):
			case e.isConstant(name):
				return &InputError{name, fmt.Sprintf("input %q is a constant of the model", name)}
			default:
				return &InputError{name, fmt.Sprintf("no input is named %q (there are: %s)", name, e.inputNames())}
			}
		}
	}
	var missing []*Value
	for i, v := range e.graph.Inputs {
		t := given[v.Name]
		switch {
		case v.Const != nil && t != nil:
			return &InputError{v.Name, fmt.Sprintf("input %q is a constant of the model", v.Name)}
		case v.Const != nil:
			t = v.Const
		case t == nil:
			missing = append(missing, v)
		case !fits(t, v.Spec):
			return &InputError{v.Name, fmt.Sprintf("input %q wants %v, got %v", v.Name, v.Spec, t.Spec())}
		}
		in[i] = t
	}
	if len(missing) == 0 {
		return nil
	}
	var text []string
	for _, v := range missing {
		text = append(text, fmt.Sprintf("input %q is missing, it wants %v", v.Name, v.Spec))
	}
	return &InputError{missing[0].Name, strings.Join(text, "; ")}
}

// isConstant reports whether a constant has that name: files of old versions list them among their inputs.
func (e *Executable) isConstant(name string) bool {
	computed := map[*Value]bool{}
	for _, n := range e.graph.Nodes {
		for _, v := range n.Out {
			computed[v] = true
		}
	}
	return slices.ContainsFunc(e.prog.values, func(v *Value) bool { return v.Name == name && !computed[v] })
}

func (e *Executable) inputNames() string {
	var names []string
	for _, v := range e.graph.Inputs {
		if v.Const == nil {
			names = append(names, strconv.Quote(v.Name))
		}
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// fits reports whether a value may be given where s is wanted. A symbolic dimension takes every size, and two of one
// name may differ: exporters give one name to unrelated dimensions.
func fits(t *tensor.Tensor, s tensor.Spec) bool {
	if t.Kind() != s.Kind {
		return false
	}
	if s.Kind != tensor.KindTensor {
		return s.Elem == nil || !slices.ContainsFunc(t.Elems(), func(e *tensor.Tensor) bool { return e == nil || !fits(e, *s.Elem) })
	}
	if s.DType != tensor.Undefined && t.DType() != s.DType {
		return false
	}
	if !s.Ranked {
		return true
	}
	if t.Rank() != len(s.Dims) {
		return false
	}
	for i, d := range s.Dims {
		if d.Size >= 0 && d.Size != t.Shape()[i] {
			return false
		}
	}
	return true
}
