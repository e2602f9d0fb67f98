package graph

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/qrun-onnx/qrun/onnx"
)

// MaxOpset is the newest version of the ai.onnx operator set whose operators are known. A model of a newer one is
// refused, since the meaning of an operator may have changed.
const MaxOpset = onnx.OpsetVersion

// MaxIR is the newest version of the file format that is known.
const MaxIR = onnx.IRVersion

type opKey struct{ domain, op string }

// Registry finds the definition of an operator by domain, name and opset. It is immutable.
type Registry struct {
	rows map[opKey][]Def // by descending Since
}

// NewRegistry makes a registry of definitions. Domain "ai.onnx" is the same as "". Two definitions with the same domain,
// name and Since are an error.
func NewRegistry(defs []Def) (*Registry, error) {
	r := &Registry{rows: map[opKey][]Def{}}
	for _, d := range defs {
		d.Domain = canonicalDomain(d.Domain)
		k := opKey{d.Domain, d.Op}
		r.rows[k] = append(r.rows[k], d)
	}
	for k, rows := range r.rows {
		slices.SortFunc(rows, func(a, b Def) int { return cmp.Compare(b.Since, a.Since) })
		for i := 1; i < len(rows); i++ {
			if rows[i].Since == rows[i-1].Since {
				return nil, fmt.Errorf("operator %s is defined twice since version %d", qualified(k.domain, k.op), rows[i].Since)
			}
		}
	}
	return r, nil
}

// Lookup returns the definition with the largest Since that is not above opset.
func (r *Registry) Lookup(domain, op string, opset int) (Def, bool) {
	for _, d := range r.rows[opKey{canonicalDomain(domain), op}] {
		if d.Since <= opset {
			return d, true
		}
	}
	return Def{}, false
}

// Newest returns the definition with the largest Since.
func (r *Registry) Newest(domain, op string) (Def, bool) {
	rows := r.rows[opKey{canonicalDomain(domain), op}]
	if len(rows) == 0 {
		return Def{}, false
	}
	return rows[0], true
}

// Defs lists the definitions by domain, name and version.
func (r *Registry) Defs() []Def {
	var all []Def
	for _, rows := range r.rows {
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b Def) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Since, b.Since))
	})
	return all
}

func canonicalDomain(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// qualified is an operator's name as messages show it: Conv, com.microsoft:Gelu.
func qualified(domain, op string) string {
	if domain == "" {
		return op
	}
	return domain + ":" + op
}
