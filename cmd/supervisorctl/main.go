// Command supervisorctl controls a running supervisord.
package main

import (
	"io"
	"log"
	"os"

	"holdfast/internal/ctl"
)

func main() {
	log.SetOutput(io.Discard) // net/http complains there of an answer that is longer than it said
	os.Exit(ctl.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
