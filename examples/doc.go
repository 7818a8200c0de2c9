// Package examples holds configurations to start from; its tests load them.
package examples
