// Package archtest holds the house to its plan: who may import whom, and who may call what.
//
//	cmd ──▶ daemon ──▶ all of the below
//	 └────▶ ctl        rpc, web, metrics, fleet    faces: turn the outside's words into calls
//	                        ▼
//	                   supervisor                  the loop: owns all state
//	                        ▼
//	        process   listener   event   config    decide; touch nothing
//	                        ▼
//	        launch   child   capture   survive     hands: act, and report facts
//	                        ▼
//	        ini  expand  logfile  xmlrpc  httpd …  ground: knows nothing of us
//
// An arrow down may skip levels only where the table in rules_test.go says so; hands hang below
// the pure packages because they take their types, and the loop never sees them. A new arrow is a
// decision: change the table and give the reason in the same commit.
//
// The package is only tests. They read the sources, not the build, so that a violation behind a
// build tag is found as well.
package archtest
