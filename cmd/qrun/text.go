package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

func millis(d time.Duration) string {
	ms := float64(d) / 1e6
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms >= 1:
		return fmt.Sprintf("%.2f ms", ms)
	}
	return fmt.Sprintf("%.1f µs", ms*1000)
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

func millions(n int64) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	case n >= 1000:
		return fmt.Sprintf("%.1f k", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// oneLine joins the lines of a message.
func oneLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "; ")
}

func decibel(x float64) string {
	if math.IsInf(x, 1) {
		return "inf"
	}
	return fmt.Sprintf("%.1f", x)
}

// timesText is by what factor got differs from ref: more where got is the smaller one, less where it is the larger.
func timesText(ref, got float64, less, more string) string {
	if got > ref {
		return fmt.Sprintf("%.2fx %s", got/ref, less)
	}
	return fmt.Sprintf("%.2fx %s", ref/max(1, got), more)
}

func speedText(ref, got time.Duration) string {
	return timesText(float64(max(1, ref)), float64(got), "slower", "faster")
}

// sizeText begins with sep, or is empty where there is nothing to compare.
func sizeText(sep string, ref, got int64) string {
	if ref == got || ref == 0 || got == 0 {
		return ""
	}
	return sep + timesText(float64(ref), float64(got), "larger", "smaller")
}

// rateText is a number of runs per second.
func rateText(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f /s", x)
	}
	return fmt.Sprintf("%.3g /s", x)
}
