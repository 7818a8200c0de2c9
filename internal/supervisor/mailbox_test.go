package supervisor

import (
	"slices"
	"testing"
	"testing/synctest"
)

// What floods has to wait for the loop, and the loop for nobody.
func TestMailboxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox()
		const piece = 64 << 10
		var brought, done []int
		bring := func(from, to int) {
			for i := from; i < to; i++ {
				m.putBytes(piece, func() { done = append(done, i) })
				brought = append(brought, i)
			}
		}
		go bring(0, 100)
		synctest.Wait()
		if want := room / piece; len(brought) != want {
			t.Fatalf("%d pieces wait, want %d", len(brought), want)
		}
		if !m.put(func() { done = append(done, -1) }) {
			t.Error("what is not output was refused")
		}
		for len(done) < 101 {
			work := m.take()
			if len(work) == 0 {
				t.Fatalf("%d of 101 came", len(done))
			}
			for _, f := range work {
				f()
			}
			synctest.Wait()
		}
		if i := slices.Index(done, -1); i != room/piece {
			t.Errorf("what came behind %d pieces was done behind %d", room/piece, i)
		}
		if done = slices.DeleteFunc(done, func(i int) bool { return i < 0 }); !slices.IsSorted(done) {
			t.Errorf("the order is %v", done)
		}

		brought = nil
		m.putBytes(10*room, func() {}) // one that is larger than all room goes alone
		go bring(0, 100)
		synctest.Wait()
		if len(brought) != 0 {
			t.Errorf("%d pieces wait beside one that takes all room", len(brought))
		}
		m.close() // nobody waits for a loop that has ended
		synctest.Wait()
		if len(brought) != 100 || m.put(func() {}) {
			t.Errorf("%d of 100 brought behind the end", len(brought))
		}
	})
}
