package launch

const haveVfork = true

// vfork makes a child that shares this process's memory, on the stack in p, and runs runChild in
// it. It returns, with the pid or a negative errno, when the child has called exec or has ended;
// *p.pid holds the pid before the child's first instruction.
func vfork(p *plan) (r int)
