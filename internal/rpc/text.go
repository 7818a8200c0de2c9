package rpc

import "holdfast/internal/supervisor"

// Description is the text of getProcessInfo, and Fault the fault of an error, for who shows them
// elsewhere.
func Description(i supervisor.Info) string { return description(i) }

func Fault(err error) (code int, faultString string) {
	f := toFault(err)
	return f.Code, f.String
}
