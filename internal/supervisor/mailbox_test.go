package supervisor

import (
	"testing"
	"testing/synctest"
)

// Who brings output waits until the loop has it, and for no loop that has ended.
func TestWhoCallsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox()
		var order []string
		call := func() {
			m.call(func() { order = append(order, "run") })
			order = append(order, "returned")
		}
		go call()
		synctest.Wait()
		if len(order) != 0 {
			t.Fatalf("before anybody took it: %v", order)
		}
		if !m.put(func() { order = append(order, "put") }) {
			t.Error("the box is not open")
		}
		for _, f := range m.take() {
			f()
			synctest.Wait()
		}
		if len(order) != 3 || order[0] != "run" || order[1] != "returned" || order[2] != "put" {
			t.Errorf("got %v", order)
		}

		go call()
		synctest.Wait()
		m.close() // runs what is left
		synctest.Wait()
		go call()
		synctest.Wait()
		if len(order) != 6 || m.put(func() {}) {
			t.Errorf("behind the end: %v", order)
		}
	})
}
