package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// median returns the median of the rounds.
func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// over returns the ratio to another series, round for round.
func (s series) over(other series) series {
	list := make(series, min(len(s), len(other)))
	for i := range list {
		list[i] = s[i] / other[i]
	}
	return list
}

// format returns the median, and the lowest and the highest figure in parentheses.
func (s series) format(unit func(float64) string) string {
	if len(s) == 0 {
		return ""
	}
	low, high := unit(slices.Min(s)), unit(slices.Max(s))
	if low == high {
		return unit(s.median())
	}
	return fmt.Sprintf("%s (%s–%s)", unit(s.median()), low, high)
}

// count formats a number with separators.
func count(f float64) string {
	digits := strconv.Itoa(int(f + 0.5))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// duration formats nanoseconds with two or three digits.
func duration(ns float64) string {
	switch d := time.Duration(ns); {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.3f ms", d.Seconds()*1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

func ratio(f float64) string { return fmt.Sprintf("%.2f", f) }

func memory(f float64) string {
	if f < 1<<20 {
		return fmt.Sprintf("%.1f kB", f/1000)
	}
	return fmt.Sprintf("%.0f MB", f/1e6)
}
