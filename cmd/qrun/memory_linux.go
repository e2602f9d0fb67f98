package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// limitMemory bounds the address space of this process by the memory that is free, so that a model which wants more
// ends this process and not another one.
func limitMemory() {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return
	}
	for _, line := range strings.Split(string(data), "\n") {
		rest, ok := strings.CutPrefix(line, "MemAvailable:")
		if !ok {
			continue
		}
		kb, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			return
		}
		var l syscall.Rlimit
		if syscall.Getrlimit(syscall.RLIMIT_AS, &l) == nil {
			l.Cur = min(kb*1024, l.Max)
			_ = syscall.Setrlimit(syscall.RLIMIT_AS, &l) // without the limit the run is only less guarded
		}
		return
	}
}
