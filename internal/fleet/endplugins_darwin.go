package fleet

import "golang.org/x/sys/unix"

// parents are the parents of all processes.
func parents() map[int]int {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	out := map[int]int{}
	for _, p := range all {
		out[int(p.Proc.P_pid)] = int(p.Eproc.Ppid)
	}
	return out
}
