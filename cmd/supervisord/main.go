// Supervisord runs programs and keeps them running. Supervisord -h lists its options.
package main

import (
	"os"

	"holdfast/internal/daemon"
)

func main() {
	os.Exit(daemon.Main(os.Args, os.Stdout, os.Stderr))
}
