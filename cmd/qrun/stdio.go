package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/qrun-onnx/qrun"
)

// benchStdio serves a side-by-side benchmark: it prints "ready LOAD_NS RSS_KB", then answers "run N" with N durations
// in nanoseconds, "rss" with the peak resident size in KB, and ends at "quit". Nothing else goes to stdout.
func (e *env) benchStdio(path string, f *benchFlags) error {
	settings := f.settings()
	if len(settings) != 1 {
		return usagef("--stdio measures one setting, got %d from the lists --quantize, --backend-list and --thread-list", len(settings))
	}
	if f.wanted() || f.trace != "" {
		return usagef("--stdio does not go with --profile ops or nodes, nor with --trace")
	}
	if f.folder == "" {
		return usagef("--stdio wants --inputs DIR with input_*.pb")
	}
	v, err := e.openVariant(path, f, settings[0])
	if err != nil {
		return err
	}
	f.specs = []string{f.folder}
	in, err := f.load(v.session.Inputs())
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "ready %d %d\n", v.load.Nanoseconds(), statusKB("VmRSS"))
	for lines := bufio.NewScanner(e.stdin); lines.Scan(); {
		word, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch word {
		case "run":
			n, err := strconv.Atoi(rest)
			if err != nil || n < 1 {
				return fmt.Errorf("%q: want run N", lines.Text())
			}
			if err := e.stdioRuns(v.session, in.runs[0], n); err != nil {
				return err
			}
		case "rss":
			fmt.Fprintln(e.stdout, peakRSS()/1024)
		case "quit":
			return nil
		default:
			return fmt.Errorf("%q: want run N, rss or quit", lines.Text())
		}
	}
	return nil
}

func (e *env) stdioRuns(s *qrun.Session, in qrun.Tensors, n int) error {
	times := make([]string, n)
	for i := range times {
		start := time.Now()
		if _, err := s.Run(e.ctx, in); err != nil {
			return err
		}
		times[i] = strconv.FormatInt(time.Since(start).Nanoseconds(), 10)
	}
	_, err := fmt.Fprintln(e.stdout, strings.Join(times, " "))
	return err
}

// statusKB reads a field of this process's status in KB; elsewhere than on Linux the runtime's own count stands in.
func statusKB(field string) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for _, line := range strings.Split(string(data), "\n") {
			if rest, ok := strings.CutPrefix(line, field+":"); ok {
				n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				if err == nil {
					return n
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys / 1024)
}

// peakRSS is the largest resident size so far, in bytes.
func peakRSS() int64 { return statusKB("VmHWM") * 1024 }
