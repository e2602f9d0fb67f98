package dynquant

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/backend"
)

// Config says what Quantize does.
type Config struct {
	Kernels     *backend.Kernels // what the weights are quantized with, to the same bits on every tier
	Profile     string           // row or onnx
	Half        bool             // float16 weights instead of int8; Profile is not read
	Ops         []string
	Only        []string
	Exclude     []string
	MinElements int
	Threads     int
}

// candidateTypes are the operators that are quantized unless something else is asked for.
var candidateTypes = []string{"MatMul", "Gemm", "Gather"}

// allTypes are the operators that can be quantized. Conv is for those who ask: the activations of convolutions lose more.
var allTypes = append(slices.Clone(candidateTypes), "Conv")

// selection decides by name, type and size.
// OptionError says that an option names something that there is not: a pattern that matches no node, an operator that is
// not quantized, a pass.
type OptionError struct{ Text string }

func (e *OptionError) Error() string { return e.Text }

func optionErrorf(format string, a ...any) error { return &OptionError{fmt.Sprintf(format, a...)} }

type selection struct {
	ops           []string
	only, exclude []*pattern
	min           int
}

type pattern struct {
	text    string
	re      *regexp.Regexp
	matched bool
}

func newSelection(c Config) (*selection, error) {
	s := &selection{ops: c.Ops, min: c.MinElements}
	if len(s.ops) == 0 {
		s.ops = candidateTypes
	}
	for _, op := range s.ops {
		if !slices.Contains(allTypes, op) {
			return nil, optionErrorf("operator %q is not quantized (there are: %s)", op, strings.Join(allTypes, ", "))
		}
	}
	for _, p := range c.Only {
		s.only = append(s.only, newPattern(p))
	}
	for _, p := range c.Exclude {
		s.exclude = append(s.exclude, newPattern(p))
	}
	return s, nil
}

// newPattern turns * (any text without a slash), ** (any text) and ? (one character) into an expression.
func newPattern(text string) *pattern {
	var b strings.Builder
	b.WriteString("^(?s:")
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "**"):
			b.WriteString(".*")
			i++
		case text[i] == '*':
			b.WriteString("[^/]*")
		case text[i] == '?':
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	b.WriteString(")$")
	re, err := regexp.Compile(b.String())
	if err != nil { // bytes that are no UTF-8: take the text as it is
		re = regexp.MustCompile("^" + regexp.QuoteMeta(strings.ToValidUTF8(text, "?")) + "$")
	}
	return &pattern{text: text, re: re}
}

func matchAny(list []*pattern, name string) bool {
	any := false
	for _, p := range list {
		if p.re.MatchString(name) {
			p.matched, any = true, true
		}
	}
	return any
}

// refuse says why a node is not chosen; "" when it is.
func (s *selection) refuse(name, op string) string {
	only, excluded := matchAny(s.only, name), matchAny(s.exclude, name)
	switch {
	case !slices.Contains(s.ops, op):
		return "not asked for (--ops " + strings.Join(s.ops, ",") + ")"
	case len(s.only) > 0 && !only:
		return "not among --only"
	case excluded:
		return "excluded"
	}
	return ""
}

// unmatched is an error about the patterns that matched no candidate; names are the candidates.
func (s *selection) unmatched(names []string) error {
	for flag, list := range map[string][]*pattern{"only": s.only, "exclude": s.exclude} {
		for _, p := range list {
			if !p.matched {
				if len(names) > 8 {
					names = append(slices.Clone(names[:8]), fmt.Sprintf("%d more", len(names)-8))
				}
				return optionErrorf("%s %q matches no node that could be quantized (there are: %s)", flag, p.text, strings.Join(names, ", "))
			}
		}
	}
	return nil
}
