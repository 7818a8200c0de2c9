// The command echo_supervisord_conf prints a configuration file to start from.
//
//	echo_supervisord_conf > /etc/supervisord.conf
package main

import (
	"fmt"
	"os"

	"holdfast/internal/config"
)

func main() {
	if _, err := os.Stdout.WriteString(config.Sample); err != nil {
		fmt.Fprintf(os.Stderr, "cannot print the configuration: %v\n", err)
		os.Exit(1)
	}
}
