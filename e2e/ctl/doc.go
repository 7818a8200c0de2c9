// Package ctl holds supervisorctl to the original: what both print to stdout and stderr, and their
// exit codes, must be the same for the same command lines. It has tests only.
//
// testdata holds what the original's supervisorctl said to the original's supervisord; the flag
// -rewrite records it again. Every other pair of an original and one of ours is compared with that.
// The environment variable HOLDFAST_SUPERVISORD puts another supervisord in the place of ours.
package ctl
