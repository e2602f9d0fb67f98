package main

import (
	"bytes"
	"fmt"
	"go/format"
	"slices"
	"strings"
)

// Family is a list of kernels with one meaning and one argument struct.
type Family struct {
	Name    string // of its files: gemm_u8s8
	Type    string // the Go type of its kernels: GemmU8S8
	Doc     string // what a kernel computes, with the loop in Go
	Args    *Args
	Scalar  string // the Go function of the same meaning, func(*Args…), which is kernel 0 of the family
	Kernels []*Kernel
}

// files prints the family: argument struct and table, stubs, fallback, and assembly by instruction set.
func (f *Family) files() map[string][]byte {
	out := map[string][]byte{
		"args_" + strings.ToLower(f.Args.Name) + ".go": gofmt(f.Args.text()),
		f.Name + "_kernels.go":                         gofmt(f.table()),
		f.Name + "_noasm.go":                           gofmt(f.fallback()),
	}
	for _, arch := range f.archs() {
		out[f.Name+"_"+arch+".go"] = gofmt(f.stubs(arch))
	}
	byISA := map[*ISA][]*Kernel{}
	for _, k := range f.Kernels {
		byISA[k.ISA] = append(byISA[k.ISA], k)
	}
	for isa, kernels := range byISA {
		out[f.Name+"_"+isa.Name+"_"+isa.arch()+".s"] = []byte(asmFile(kernels))
	}
	return out
}

// archs are the architectures that the family has kernels for; others run the scalar one.
func (f *Family) archs() []string {
	var archs []string
	for _, k := range f.Kernels {
		if a := k.ISA.arch(); !slices.Contains(archs, a) {
			archs = append(archs, a)
		}
	}
	return archs
}

func gofmt(src string) []byte {
	b, err := format.Source([]byte(src))
	if err != nil {
		panic(fmt.Sprintf("%v in\n%s", err, src))
	}
	return b
}

func comment(s string) string {
	return "// " + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n// "), "// \n", "//\n") + "\n"
}

// text prints the argument struct.
func (a *Args) text() string {
	var b bytes.Buffer
	b.WriteString(header + "package asm\n\n")
	if strings.Contains(fmt.Sprint(a.Fields), "unsafe.Pointer") {
		b.WriteString("import \"unsafe\"\n\n")
	}
	fmt.Fprintf(&b, "// Args%s are arguments of kernels, which may change the integers among them.\ntype Args%s struct {\n", a.Name, a.Name)
	for _, f := range a.Fields {
		fmt.Fprintf(&b, "%s %s // %s\n", f.Name, f.Type, f.Doc)
	}
	b.WriteString("}\n")
	return b.String()
}

func (f *Family) table() string {
	var b bytes.Buffer
	b.WriteString(header + "package asm\n\n")
	fmt.Fprintf(&b, "%stype %s uint8\n\n// The kernels.\nconst (\n%sScalar %s = iota\n", comment(f.Doc), f.Type, f.Type, f.Type)
	for _, k := range f.Kernels {
		fmt.Fprintf(&b, "%s\n", exported(k.Name))
	}
	fmt.Fprintf(&b, ")\n\n// %sKernels describes the kernels, by number.\nvar %sKernels = [...]Kernel{\n{Name: %q, ISA: Scalar},\n", f.Type, f.Type, unexported(f.Type)+"Scalar")
	for _, k := range f.Kernels {
		fmt.Fprintf(&b, "{Name: %q, ISA: %s", k.Name, k.ISA.Suffix)
		if k.M != 0 || k.N != 0 {
			fmt.Fprintf(&b, ", M: %d, N: %d", k.M, k.N)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func (f *Family) stubs(arch string) string {
	var b bytes.Buffer
	kernels := slices.DeleteFunc(slices.Clone(f.Kernels), func(k *Kernel) bool { return k.ISA.arch() != arch })
	fmt.Fprintf(&b, "%s//go:build !purego\n\npackage asm\n\n", header)
	fmt.Fprintf(&b, "// Call runs the kernel. It is not inlined, so that a loop of calls can be preempted.\n//\n//go:noinline\nfunc (k %s) Call(a *Args%s) {\nswitch k {\n", f.Type, f.Args.Name)
	for _, k := range kernels {
		fmt.Fprintf(&b, "case %s:\n%s(a)\n", exported(k.Name), k.Name)
	}
	fmt.Fprintf(&b, "default:\n%s(a)\n}\n}\n", f.Scalar)
	for _, k := range kernels {
		doc := fmt.Sprintf("%s is a %s kernel.", k.Name, f.Type)
		if k.M != 0 || k.N != 0 {
			doc = fmt.Sprintf("%s is a %s kernel of %d rows and %d columns.", k.Name, f.Type, k.M, k.N)
		}
		if k.Doc != "" {
			doc += " " + k.Doc
		}
		fmt.Fprintf(&b, "\n%s//\n//go:noescape\nfunc %s(a *Args%s)\n", comment(doc), k.Name, f.Args.Name)
	}
	return b.String()
}

func (f *Family) fallback() string {
	none := "!" + strings.Join(f.archs(), " && !")
	if len(f.archs()) > 1 {
		none = "(" + none + ")"
	}
	return fmt.Sprintf("%s//go:build %s || purego\n\npackage asm\n\n// Call runs the scalar kernel: there is no other here.\n//\n//go:noinline\nfunc (k %s) Call(a *Args%s) { %s(a) }\n",
		header, none, f.Type, f.Args.Name, f.Scalar)
}

func exported(s string) string   { return strings.ToUpper(s[:1]) + s[1:] }
func unexported(s string) string { return strings.ToLower(s[:1]) + s[1:] }
