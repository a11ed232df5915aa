package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Usage is what a process has used so far.
type Usage struct {
	CPU      time.Duration
	Resident int64 // bytes of memory now
	Peak     int64 // bytes of memory, the most that was resident
	Written  int64 // bytes written to files
}

// tick is the unit of the CPU times in /proc.
const tick = time.Second / 100

// Used reads the usage of a process, as Linux reports it.
func Used(pid int) (u Usage, err error) {
	fields, err := statFields(pid)
	if err != nil {
		return u, err
	}
	const user, system = 13, 14 // as numbered in proc(5), from 0
	for _, i := range []int{user, system} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(ticks) * tick
	}
	if u.Resident, err = field(pid, "status", "VmRSS"); err == nil {
		u.Peak, err = field(pid, "status", "VmHWM")
	}
	if err == nil {
		u.Written, err = field(pid, "io", "write_bytes")
	}
	u.Resident, u.Peak = u.Resident<<10, u.Peak<<10
	return u, err
}

// statFields returns the fields of /proc/PID/stat.
func statFields(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	// The second field is a name in parentheses, which may contain anything.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return nil, fmt.Errorf("/proc/%d/stat is %q", pid, text)
	}
	fields := []string{strconv.Itoa(pid), string(text[open+1 : end])}
	for _, f := range bytes.Fields(text[end+1:]) {
		fields = append(fields, string(f))
	}
	if len(fields) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat is %q", pid, text)
	}
	return fields, nil
}

// field returns the number on a line of a file in /proc/PID.
func field(pid int, file, name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		var number int64
		if n, _ := fmt.Sscanf(string(line), name+": %d", &number); n == 1 {
			return number, nil
		}
	}
	return 0, fmt.Errorf("/proc/%d/%s has no %s", pid, file, name)
}

// Child returns the process id of a child of this process by its name, 0 if
// there is none.
func Child(name string) int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	parent := strconv.Itoa(os.Getpid())
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		fields, err := statFields(pid)
		if err == nil && fields[1] == name && fields[3] == parent {
			return pid
		}
	}
	return 0
}
