package rlimit

const sysPrlimit64 = 340
