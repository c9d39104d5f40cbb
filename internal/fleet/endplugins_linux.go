package fleet

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// parents are the parents of all processes. See proc_pid_stat(5).
func parents() map[int]int {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	out := map[int]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			continue
		}
		// The name of the program is in parentheses, and may hold any.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			out[pid] = parent
		}
	}
	return out
}
