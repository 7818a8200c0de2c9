//go:build arm64 || riscv64 || loong64

package rlimit

const sysPrlimit64 = 261
