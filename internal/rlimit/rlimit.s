// Empty: its presence lets rlimit.go declare a function without a body.
