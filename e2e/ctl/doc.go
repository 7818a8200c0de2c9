// Package ctl holds supervisorctl to the original: the same command lines are given to both, and
// what they print to stdout and stderr and their exit codes must be the same. It has tests only.
//
// The yardstick is always the original's supervisorctl talking to the original's supervisord. With
// HOLDFAST_SUPERVISORD set to a supervisord the same command lines are also given to both
// supervisorctls talking to that one.
package ctl
