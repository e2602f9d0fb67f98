package graph

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/onnx"
)

// ordered returns nodes so that each comes after those whose outputs it or its bodies read, in the file's order where
// that is free.
func ordered(nodes []*onnx.NodeProto) ([]*onnx.NodeProto, error) {
	maker := map[string]int{}
	for i, n := range nodes {
		for _, name := range n.GetOutput() {
			if j, ok := maker[name]; ok && name != "" {
				return nil, fmt.Errorf("value %q is made by both %s and %s", name, nodeTitle(nodes[j]), nodeTitle(n))
			}
			maker[name] = i
		}
	}
	delete(maker, "")
	needs := make([][]int, len(nodes))
	sorted := true
	for i, n := range nodes {
		names, err := reads(n)
		if err != nil {
			return nil, err
		}
		for name := range names {
			if j, ok := maker[name]; ok {
				needs[i] = append(needs[i], j)
				sorted = sorted && j < i
			}
		}
	}
	if sorted {
		return nodes, nil
	}
	return topological(nodes, needs)
}

func topological(nodes []*onnx.NodeProto, needs [][]int) ([]*onnx.NodeProto, error) {
	open := make([]int, len(nodes))
	readers := make([][]int, len(nodes))
	var ready intHeap
	for i, js := range needs {
		open[i] = len(js)
		for _, j := range js {
			readers[j] = append(readers[j], i)
		}
		if len(js) == 0 {
			ready = append(ready, i)
		}
	}
	var order []*onnx.NodeProto
	for len(ready) > 0 {
		i := heap.Pop(&ready).(int)
		order = append(order, nodes[i])
		for _, r := range readers[i] {
			if open[r]--; open[r] == 0 {
				heap.Push(&ready, r)
			}
		}
	}
	if len(order) < len(nodes) {
		return nil, cycle(nodes, needs, open)
	}
	return order, nil
}

// cycle names the nodes of one cycle among those that topological left open.
func cycle(nodes []*onnx.NodeProto, needs [][]int, open []int) error {
	at := slices.IndexFunc(open, func(n int) bool { return n > 0 })
	seen := map[int]int{}
	var path []string
	for {
		if first, ok := seen[at]; ok {
			path = append(path[first:], path[first])
			slices.Reverse(path)
			break
		}
		seen[at] = len(path)
		path = append(path, nodeTitle(nodes[at]))
		for _, j := range needs[at] {
			if open[j] > 0 {
				at = j
				break
			}
		}
	}
	if len(path) > 10 {
		path = append(path[:9], "...", path[len(path)-1])
	}
	return fmt.Errorf("nodes need each other: %s", strings.Join(path, " -> "))
}

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	x := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return x
}

// reads is the set of names that a node and its bodies take from the graph around.
func reads(n *onnx.NodeProto) (map[string]bool, error) {
	names := map[string]bool{}
	if err := addReads(names, n, 0); err != nil {
		return nil, err
	}
	return names, nil
}

func addReads(names map[string]bool, n *onnx.NodeProto, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("%s: bodies are nested more than %d deep", nodeTitle(n), maxNesting)
	}
	for _, name := range n.GetInput() {
		if name != "" {
			names[name] = true
		}
	}
	for _, a := range n.GetAttribute() {
		bodies := a.GetGraphs()
		if a.GetG() != nil {
			bodies = append([]*onnx.GraphProto{a.GetG()}, bodies...)
		}
		for _, g := range bodies {
			if err := addFree(names, g, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// addFree adds the names that a body reads and does not make.
func addFree(names map[string]bool, g *onnx.GraphProto, depth int) error {
	inner := map[string]bool{}
	for _, n := range g.GetNode() {
		if err := addReads(inner, n, depth); err != nil {
			return err
		}
	}
	for _, o := range g.GetOutput() {
		inner[o.GetName()] = true
	}
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			delete(inner, o)
		}
	}
	for _, i := range g.GetInput() {
		delete(inner, i.GetName())
	}
	for _, i := range g.GetInitializer() {
		delete(inner, i.GetName())
	}
	for _, i := range g.GetSparseInitializer() {
		delete(inner, i.GetValues().GetName())
	}
	for name := range inner {
		names[name] = true
	}
	return nil
}

// label is a node's name, or one made of its type and first output.
func label(n *onnx.NodeProto) string {
	if n.GetName() != "" {
		return n.GetName()
	}
	for _, o := range n.GetOutput() {
		if o != "" {
			return n.GetOpType() + ":" + o
		}
	}
	return n.GetOpType()
}

func nodeTitle(n *onnx.NodeProto) string {
	return fmt.Sprintf("%s %q", qualified(canonicalDomain(n.GetDomain()), n.GetOpType()), label(n))
}
