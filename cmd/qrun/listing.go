package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
)

type opsDoc struct {
	Schema    string        `json:"schema"`
	Operators []operatorDoc `json:"operators"`
}

type operatorDoc struct {
	Domain string   `json:"domain"`
	Name   string   `json:"name"`
	Since  []int    `json:"since"`
	Types  []string `json:"types"`
}

func (e *env) opsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "ops",
		Short: "List the operators that are implemented",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := qrun.Operators()
			if err != nil {
				return err
			}
			if asJSON {
				doc := opsDoc{Schema: "qrun.ops/1"}
				for _, o := range list {
					doc.Operators = append(doc.Operators, operatorDoc{o.Domain, o.Name, o.Since, o.Types})
				}
				return e.printJSON(doc)
			}
			for _, o := range list {
				domain := o.Domain
				if domain == "" {
					domain = "ai.onnx"
				}
				fmt.Fprintf(e.stdout, "%-14s %-28s since %-22s %s\n", domain, o.Name, strings.Trim(fmt.Sprint(o.Since), "[]"), strings.Join(o.Types, " "))
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

type envDoc struct {
	Schema   string   `json:"schema"`
	Version  string   `json:"version"`
	Go       string   `json:"go"`
	OS       string   `json:"os"`
	Arch     string   `json:"arch"`
	CPU      string   `json:"cpu"`
	Features []string `json:"features"`
	Backend  string   `json:"backend"`
	Backends []string `json:"backends"`
	Threads  int      `json:"threads"`
}

func (e *env) envCommand() *cobra.Command {
	var asJSON, passes bool
	c := &cobra.Command{
		Use:   "env",
		Short: "Show version, processor features, kernels and threads",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if passes {
				for _, p := range qrun.Passes() {
					fmt.Fprintf(e.stdout, "%-28s %s\n", p.Name, p.Doc)
				}
				return nil
			}
			i := qrun.Environment()
			if asJSON {
				return e.printJSON(envDoc{"qrun.env/1", i.Version, i.Go, i.OS, i.Arch, i.CPU, i.Features, i.Backend, i.Backends, i.Threads})
			}
			e.line("version", "%s, %s, %s/%s", i.Version, i.Go, i.OS, i.Arch)
			e.line("processor", "%s", i.CPU)
			e.line("features", "%s", strings.Join(i.Features, " "))
			e.line("kernels", "%s (of %s; QRUN_BACKEND chooses)", i.Backend, strings.Join(i.Backends, ", "))
			e.line("threads", "%d", i.Threads)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	c.Flags().BoolVar(&passes, "passes", false, "list the rewriting passes that --no-pass switches off")
	return c
}
