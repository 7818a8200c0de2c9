package survive

import (
	"bytes"
	"sync/atomic"
	"unsafe"
)

// An Event is one that a pool of event listeners has accepted and that is not processed yet.
type Event struct {
	Group      string // the pool's
	PoolSerial uint64
	Serial     uint64
	Type       string
	Payload    string
	Vain       bool // no listener could be told of it
}

type eventID struct {
	group      string
	poolSerial uint64
}

// An eventHead is in the first bytes of an event's slots. The event is there from the commit with the number
// Created on, and from Ended on, if that is not 0, no more. What it is lies behind the heads of its slots.
type eventHead struct {
	created, ended     atomic.Uint64 // of the first slot
	poolSerial, serial uint64
	size               uint32 // of the whole
	next               uint32 // one more than the next slot's number; 0: there is none
}

const (
	partSize = slotSize - cellSize
	// maxParts bounds what events take of the file: 8 MiB.
	maxParts = 4096
)

func (s *State) head(i int) *eventHead {
	return (*eventHead)(unsafe.Pointer(unsafe.SliceData(s.bytes(i))))
}

// KeepEvent notes an event; false: there is no room.
func (s *State) KeepEvent(e *Event) bool {
	size := len(e.Group) + len(e.Type) + len(e.Payload) + 3
	n := (size + partSize - 1) / partSize
	if s.parts+n > maxParts {
		return false
	}
	slots := s.takeMany(n)
	if slots == nil {
		return false
	}
	s.parts += n
	// Group, type and payload don't lie one behind the other, and need not be put together to be copied.
	vain := "\x00"
	if e.Vain {
		vain = "\x01"
	}
	at := 0
	for _, text := range [...]string{e.Group, "\x00", e.Type, "\x00", vain, e.Payload} {
		for len(text) > 0 {
			n := copy(s.bytes(slots[at/partSize])[cellSize+at%partSize:], text)
			at, text = at+n, text[n:]
		}
	}
	for k, i := range slots {
		h := s.head(i)
		h.next = 0
		if k+1 < len(slots) {
			h.next = uint32(slots[k+1]) + 1
		}
		if k > 0 {
			s.kind(i).Store(moreSlot)
		}
	}
	h := s.head(slots[0])
	h.poolSerial, h.serial, h.size = e.PoolSerial, e.Serial, uint32(size)
	h.ended.Store(0)
	h.created.Store(s.txn + 1)
	s.kind(slots[0]).Store(eventSlot)
	s.events[eventID{e.Group, e.PoolSerial}] = slots[0]
	return true
}

func (s *State) takeMany(n int) (slots []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		i, err := s.takeLocked()
		if err != nil {
			s.free = append(s.free, slots...)
			return nil
		}
		slots = append(slots, i)
	}
	return slots
}

// EndEvent forgets an event: it is processed, or lost.
func (s *State) EndEvent(group string, poolSerial uint64) {
	key := eventID{group, poolSerial}
	i, ok := s.events[key]
	if !ok {
		return
	}
	delete(s.events, key)
	s.head(i).ended.Store(s.txn + 1)
	s.ended = append(s.ended, i)
}

// freeEnded gives the slots free of events that have ended for good.
func (s *State) freeEnded() {
	for _, i := range s.ended {
		s.freeEvent(i)
	}
	s.ended = s.ended[:0]
}

func (s *State) freeEvent(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	chain, _ := s.chain(i)
	s.parts -= len(chain)
	for _, i := range chain { // the first one first: without it the others are nothing
		s.wipe(i)
	}
}

// chain gives the slots of the event whose first slot i is; ok is false if they are not as they should be.
func (s *State) chain(i int) (slots []int, ok bool) {
	n := (int64(s.head(i).size) + partSize - 1) / partSize
	for slots = []int{i}; int64(len(slots)) < min(n, maxParts+1); slots = append(slots, i) {
		i = int(s.head(i).next) - 1
		if i < 0 || i >= s.n || s.kind(i).Load() != moreSlot {
			return slots, false
		}
	}
	return slots, true
}

func (s *State) clearEvents() {
	s.freeEnded()
	for key, i := range s.events {
		delete(s.events, key)
		s.freeEvent(i)
	}
}

// FoundEvents are the events that were in the file when it was opened, in no order.
func (s *State) FoundEvents() []Event { return s.foundEvents }

// loadEvents reads the events of the daemon before, and tells which slots they have.
func (s *State) loadEvents() (used map[int]bool) {
	used = make(map[int]bool)
	for i := range s.n {
		if s.kind(i).Load() != eventSlot {
			continue
		}
		h := s.head(i)
		created, ended := h.created.Load(), h.ended.Load()
		if created == 0 || created > s.txn || ended != 0 && ended <= s.txn {
			continue
		}
		h.ended.Store(0)
		s.loadEvent(i, used)
	}
	return used
}

func (s *State) loadEvent(i int, used map[int]bool) {
	slots, ok := s.chain(i)
	if !ok || len(slots) > maxParts-s.parts {
		return
	}
	h := s.head(i)
	data := make([]byte, 0, len(slots)*partSize)
	for _, i := range slots {
		if used[i] {
			return
		}
		data = append(data, s.bytes(i)[cellSize:]...)
	}
	if int64(h.size) > int64(len(data)) {
		return
	}
	fields := bytes.SplitN(data[:h.size], []byte{0}, 3)
	if len(fields) < 3 || len(fields[2]) == 0 {
		return
	}
	e := Event{Group: string(fields[0]), PoolSerial: h.poolSerial, Serial: h.serial, Type: string(fields[1]),
		Vain: fields[2][0] == 1, Payload: string(fields[2][1:])}
	key := eventID{e.Group, e.PoolSerial}
	if _, twice := s.events[key]; twice {
		return
	}
	s.events[key] = i
	s.parts += len(slots)
	for _, i := range slots {
		used[i] = true
	}
	s.foundEvents = append(s.foundEvents, e)
}
