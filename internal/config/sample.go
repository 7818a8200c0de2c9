package config

import _ "embed"

// Sample is a configuration file to start from. Every option stands in it with its default.
//
//go:embed sample.conf
var Sample string
