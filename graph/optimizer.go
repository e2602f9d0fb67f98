package graph

import (
	"fmt"
	"time"
)

// Optimizer applies passes to a graph one after another. Between them it keeps what is known of the graph, and which
// passes find nothing in it any more, so that nothing is computed twice.
type Optimizer struct {
	g       *Graph
	reg     *Registry
	pc      *PassCtx   // of the graph as it is, nil when it has changed
	known   *inference // of the graph as it is
	changes int        // how often the graph has changed
	done    map[passKey]int

	// OnApply, if set, is called when a pass has been applied, with the time it began and the number of its changes.
	OnApply func(pass string, start time.Time, changed int)
}

// passKey is a pass with the options that it reads. For each the Optimizer knows after how many changes of the graph it
// found nothing.
type passKey struct {
	name           string
	fold, integers bool
}

// NewOptimizer infers the model's graph g, which must not be changed from then on but by the Optimizer.
func NewOptimizer(g *Graph, reg *Registry) (*Optimizer, error) {
	z := &Optimizer{g: g, reg: reg, done: map[passKey]int{}}
	return z, z.infer()
}

// Graph is the graph that the passes change.
func (z *Optimizer) Graph() *Graph { return z.g }

func (z *Optimizer) infer() (err error) {
	z.known, err = z.g.infer()
	return err
}

// Optimize runs those of Passes that the options select, on the model's graph and its bodies. The names of graph inputs
// and outputs stay. It fails for a name of a pass that does not exist.
func (z *Optimizer) Optimize(o PassOptions) ([]PassStat, error) {
	list, err := selectPasses(o)
	if err != nil {
		return nil, err
	}
	stats := make([]PassStat, len(list))
	for i, p := range list {
		stats[i].Pass = p.Name
	}
	for range 3 {
		total := 0
		for i, p := range list {
			if at, ok := z.done[keyOf(p, o)]; ok && at == z.changes {
				continue
			}
			n, err := z.Apply(p, o)
			if err != nil {
				return nil, fmt.Errorf("pass %s: %w", p.Name, err)
			}
			stats[i].Changed += n
			total += n
		}
		if total == 0 {
			break
		}
	}
	return stats, nil
}

// Apply runs a pass, one of Passes or another, until it changes nothing.
func (z *Optimizer) Apply(p Pass, o PassOptions) (total int, err error) {
	if z.OnApply != nil {
		defer func(start time.Time) { z.OnApply(p.Name, start, total) }(time.Now())
	}
	for range maxRounds {
		if z.pc == nil {
			z.pc = newPassCtx(z.g, z.reg, z.known)
		}
		z.pc.Options = o
		changed := 0
		for _, b := range z.pc.order {
			n, err := p.Run(b, z.pc)
			if err != nil {
				return 0, err
			}
			changed += n
		}
		if changed == 0 {
			z.done[keyOf(p, o)] = z.changes
			return total, nil
		}
		total += changed
		z.changes++
		z.pc.commit()
		z.pc = nil
		if err := z.infer(); err != nil {
			return 0, err
		}
	}
	return total, nil
}

func keyOf(p Pass, o PassOptions) passKey { return passKey{p.Name, o.FoldDequantize, o.KeepIntegers} }
