//go:build !amd64

package launch

// Nobody has written and tried vfork_*.s for this machine; it forks, which is slower by the time
// it takes to copy the page tables and otherwise the same.
const haveVfork = false

func vfork(*plan) int { panic("launch: no vfork on this machine") }
