// Package clients holds supervisord to the clients that are out there: Python's xmlrpc.client and the
// helpers that come with the original, its supervisorctl on a terminal, Ansible's module, libraries for
// Go and Node. Each does the same to the original supervisord and to ours, and must be told the same.
// It has tests only.
//
// The environment variable HOLDFAST_SUPERVISORD puts another supervisord in the place of ours.
package clients
