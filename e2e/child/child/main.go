// Child is package child as a program of its own: a test binary takes long to start, with -race above all.
package main

import (
	"os"

	"holdfast/e2e/child"
)

func main() { os.Exit(child.Main(os.Args[1:])) }
