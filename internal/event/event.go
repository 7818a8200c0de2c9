// Package event knows the types of events, the payload of each, which of them a subscription
// means, and what goes over the wire to a listener. It is pure: whoever makes an event brings the
// facts and the time.
//
//	EVENT
//	├─ PROCESS_STATE            _STOPPED _EXITED _STARTING _STOPPING _BACKOFF _FATAL _RUNNING _UNKNOWN
//	├─ PROCESS_COMMUNICATION    _STDOUT _STDERR
//	├─ PROCESS_LOG              _STDOUT _STDERR
//	├─ REMOTE_COMMUNICATION
//	├─ SUPERVISOR_STATE_CHANGE  _RUNNING _STOPPING
//	├─ TICK                     _5 _60 _3600
//	└─ PROCESS_GROUP            _ADDED _REMOVED
//	PROCESS_HEALTH              _READY _NOT_READY _FAILED
//
// PROCESS_HEALTH is Holdfast's own, and not below EVENT: a listener of the original gets what it knows.
//
// A subscription to a type means all that stands below it; an event always has the type of a leaf.
package event

import (
	"maps"
	"slices"
)

// A Type is the name of a type of event, as the manual and events= spell it.
type Type string

// parents is the tree: each type, and the one above it.
var parents = map[Type]Type{
	"EVENT": "",

	"PROCESS_STATE":          "EVENT",
	"PROCESS_STATE_STOPPED":  "PROCESS_STATE",
	"PROCESS_STATE_EXITED":   "PROCESS_STATE",
	"PROCESS_STATE_STARTING": "PROCESS_STATE",
	"PROCESS_STATE_STOPPING": "PROCESS_STATE",
	"PROCESS_STATE_BACKOFF":  "PROCESS_STATE",
	"PROCESS_STATE_FATAL":    "PROCESS_STATE",
	"PROCESS_STATE_RUNNING":  "PROCESS_STATE",
	"PROCESS_STATE_UNKNOWN":  "PROCESS_STATE",

	"PROCESS_COMMUNICATION":        "EVENT",
	"PROCESS_COMMUNICATION_STDOUT": "PROCESS_COMMUNICATION",
	"PROCESS_COMMUNICATION_STDERR": "PROCESS_COMMUNICATION",

	"PROCESS_LOG":        "EVENT",
	"PROCESS_LOG_STDOUT": "PROCESS_LOG",
	"PROCESS_LOG_STDERR": "PROCESS_LOG",

	"REMOTE_COMMUNICATION": "EVENT",

	"SUPERVISOR_STATE_CHANGE":          "EVENT",
	"SUPERVISOR_STATE_CHANGE_RUNNING":  "SUPERVISOR_STATE_CHANGE",
	"SUPERVISOR_STATE_CHANGE_STOPPING": "SUPERVISOR_STATE_CHANGE",

	"TICK":      "EVENT",
	"TICK_5":    "TICK",
	"TICK_60":   "TICK",
	"TICK_3600": "TICK",

	"PROCESS_GROUP":         "EVENT",
	"PROCESS_GROUP_ADDED":   "PROCESS_GROUP",
	"PROCESS_GROUP_REMOVED": "PROCESS_GROUP",

	"PROCESS_HEALTH":           "",
	"PROCESS_HEALTH_READY":     "PROCESS_HEALTH",
	"PROCESS_HEALTH_NOT_READY": "PROCESS_HEALTH",
	"PROCESS_HEALTH_FAILED":    "PROCESS_HEALTH",
}

// Types are the names of all types, in alphabetical order.
func Types() []Type { return slices.Sorted(maps.Keys(parents)) }

// A Subscription is the set of types that a pool gets.
//
// Differs: in the original a pool that subscribes to a type and to one above it gets each such
// event twice, with the same serial (quirks 78).
type Subscription map[Type]bool

// Subscribe gives the types that the names of an events= mean. The names are in capitals and were
// checked when the configuration was read; one that is no type means nothing.
func Subscribe(names []string) Subscription {
	s := make(Subscription)
	for t := range parents {
		for up := t; up != ""; up = parents[up] {
			if slices.Contains(names, string(up)) {
				s[t] = true
				break
			}
		}
	}
	return s
}

// An Event is something that happened, with all that listeners are told of it.
type Event interface {
	Type() Type
	// Payload is what follows the header. It is UTF-8 if the names in it are.
	Payload() string
}

// A Recorded is an event of which no more is known than what listeners are told.
type Recorded struct {
	Of   Type
	Text string
}

func (r Recorded) Type() Type      { return r.Of }
func (r Recorded) Payload() string { return r.Text }
