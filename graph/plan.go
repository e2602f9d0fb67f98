package graph

import (
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"unsafe"

	"github.com/qrun-onnx/qrun/tensor"
)

// storage says where the memory of a value comes from.
type storage uint8

const (
	storeNone     storage = iota // the value is not computed in this plan
	storeConstant                // known before the run
	storeInput                   // given to the run: an input, or for a body a value of a graph around
	storeArena                   // a range of the run's arena
	storeHeap                    // made in every run, since it leaves it (or has elements that an arena cannot hold)
	storeDynamic                 // made by the operator, or of a shape that is known only in the run
)

// plan says how a program runs for inputs of certain types and shapes. It is immutable, but for what it learns of workers, and
// used by many runs at once.
type plan struct {
	prog   *program
	outer  *plan      // of the program around a body: what it knows is known in the body
	sig    []valueSig // of the inputs, then of the captures
	shapes *Shapes
	values []planValue
	steps  []planStep
	outs   []planOutput
	// transient are the values whose tensors are let go of after a run.
	transient []int
	arena     int // bytes
	bodies    [][]*planCache
	heap      bool
	workers   *workerChoice
}

// planValue is a value of the program under the plan.
type planValue struct {
	store storage
	spec  tensor.Spec
	shape []int // when spec is complete
	root  int   // the value whose memory this one shares; itself where it has its own
	size  int   // bytes, of an arena root
	off   int   // in the arena, of an arena root
	first int   // step that writes the root
	last  int   // last step that needs the root's memory
	value *tensor.Tensor
}

// stepKind is what the executor does for a node.
type stepKind uint8

const (
	stepRun   stepKind = iota // the outputs are there; run the operator
	stepShare                 // the output is a view of a value that is another one in every run
	stepLate                  // infer from the actual inputs, make the outputs, run
	stepBody                  // the operator runs bodies, and makes its outputs
	stepKnown                 // nothing: the outputs are known, or views; listed only for those who watch
)

// planStep is the execution of one node.
type planStep struct {
	kind   stepKind
	node   int
	wanted []bool // by output
	dynIn  []slotValue
	heap   []slotValue // outputs to be made before the operator runs
	drop   []int       // values of which this is the last use
}

// slotValue is an input or output of a node and the value there.
type slotValue struct{ slot, value int }

// planOutput is an output of the graph.
type planOutput struct {
	value int
	copy  bool // another output is this memory already, or it is not the run's own
}

// valueSig is the type and shape of a tensor that a plan was made for.
type valueSig struct {
	dtype tensor.DType
	kind  tensor.Kind
	shape []int // of a tensor
	none  bool  // no tensor was given
}

func sigOf(t *tensor.Tensor) valueSig {
	if t == nil {
		return valueSig{none: true}
	}
	return valueSig{dtype: t.DType(), kind: t.Kind(), shape: slices.Clone(t.Shape())}
}

func (s *valueSig) matches(t *tensor.Tensor) bool {
	if t == nil || s.none {
		return s.none == (t == nil)
	}
	return s.kind == t.Kind() && s.dtype == t.DType() && slices.Equal(s.shape, t.Shape())
}

func (s *valueSig) spec(v *Value) tensor.Spec {
	switch {
	case s.none:
		return v.Spec
	case s.kind != tensor.KindTensor:
		return tensor.Spec{Kind: s.kind, Elem: v.Spec.Elem}
	}
	return tensor.SpecOf(s.dtype, s.shape...)
}

// matches reports whether the plan was made for values like these.
func (p *plan) matches(in, captured []*tensor.Tensor) bool {
	for i, t := range in {
		if !p.sig[i].matches(t) {
			return false
		}
	}
	for i, t := range captured {
		if !p.sig[len(in)+i].matches(t) {
			return false
		}
	}
	return true
}

// captureKnown tells a body's inference about the values around it.
type captureKnown struct {
	specs map[*Value]tensor.Spec
	outer *plan
}

// Spec implements Known.
func (k captureKnown) Spec(v *Value) tensor.Spec {
	if s, ok := k.specs[v]; ok {
		return s
	}
	return k.outer.shapes.Spec(v)
}

// Const implements Known.
func (k captureKnown) Const(v *Value) *tensor.Tensor { return k.outer.shapes.Const(v) }

// newPlan makes the plan of a program for inputs and captured values like the given ones. outer is the plan of the
// program around a body. With heap every value has memory of its own until the end of the run.
func newPlan(prog *program, outer *plan, heap bool, in, captured []*tensor.Tensor) (p *plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("panic while planning: %v\n%s", r, debug.Stack())
		}
	}()
	p = &plan{prog: prog, outer: outer, heap: heap, workers: &workerChoice{}}
	specs := make([]tensor.Spec, len(in))
	for i, t := range in {
		p.sig = append(p.sig, sigOf(t))
		specs[i] = p.sig[i].spec(prog.graph.Inputs[i])
	}
	var known Known
	if outer != nil {
		k := captureKnown{map[*Value]tensor.Spec{}, outer}
		for i, t := range captured {
			p.sig = append(p.sig, sigOf(t))
			v := prog.values[prog.captures[i].here]
			k.specs[v] = p.sig[len(in)+i].spec(v)
		}
		known = k
	}
	if p.shapes, err = prog.graph.InferShapes(specs, known); err != nil {
		return nil, err
	}
	if err := p.setValues(); err != nil {
		return nil, err
	}
	p.setSteps()
	p.setOutputs()
	p.setViews()
	p.setLifetimes()
	if !heap {
		p.reuseInPlace()
		if err := p.setOffsets(); err != nil {
			return nil, err
		}
	}
	p.setSlots()
	p.bodies = make([][]*planCache, len(prog.nodes))
	for i := range prog.nodes {
		for range prog.nodes[i].bodies {
			p.bodies[i] = append(p.bodies[i], newPlanCache(maxBodyPlans))
		}
	}
	return p, nil
}

// setValues takes over what is known of the values.
func (p *plan) setValues() error {
	p.values = make([]planValue, len(p.prog.values))
	for i, v := range p.prog.values {
		pv := &p.values[i]
		pv.root, pv.first, pv.last = i, -1, -1
		pv.spec = p.shapes.Spec(v)
		pv.shape, _ = pv.spec.Shape()
		if c := p.prog.consts[i]; c != nil {
			pv.store, pv.value = storeConstant, c
		}
		if pv.shape == nil {
			continue
		}
		n, err := tensor.Count(pv.shape)
		if err != nil || tooLarge(pv.spec.DType, n) {
			return fmt.Errorf("value %q of %v is too large", v.Name, pv.spec)
		}
		pv.size = pv.spec.DType.ByteLen(n)
	}
	for _, id := range p.prog.inputs {
		if p.values[id].store == storeNone {
			p.values[id].store = storeInput
		}
	}
	for _, c := range p.prog.captures {
		p.values[c.here].store = storeInput
	}
	return nil
}

// maxValueBytes bounds one value's memory, and an arena's, so that a hostile shape is an error and does not end the
// process.
const maxValueBytes = min(1<<36, math.MaxInt/2)

func tooLarge(d tensor.DType, n int) bool {
	if d == tensor.String {
		return n > maxValueBytes/int(unsafe.Sizeof(""))
	}
	return d.ByteLen(n) > maxValueBytes
}
