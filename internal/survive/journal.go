package survive

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"unsafe"

	"holdfast/internal/dlog"
)

// A journal has the numbers that say what counts in the file, and the ring of the log's lines that are not
// in their file yet.
//
// A position in the ring is that of a byte since the beginning of time; it lies at its remainder. Each line
// has its length before it.
type journal struct {
	mu   sync.Mutex
	mem  []byte    // guarded by mu; the file up to the slots, nil when that is closed
	now  committed // guarded by mu; what the file has
	head uint64    // guarded by mu; behind the line that was added last
}

// committed is what one store makes valid. It lies in the file twice, and a word says which of the two counts.
type committed struct {
	txn    uint64
	head   uint64 // of the ring
	daemon Daemon
}

const (
	// ringSize is that of the ring: enough for three thousand lines. While the log's writer keeps up it is
	// empty again and again, and only its first page is ever touched.
	ringSize   = 256 << 10
	lineHeader = 4

	// Where the words of the journal lie, in the header's page.
	journalAt = pageSize - 1024
	turnAt    = journalAt       // which of the two counts: odd or even
	bothAt    = journalAt + 64  // the two
	oneSize   = 64              //
	tailAt    = journalAt + 256 // of the ring: what is before it is in its file
	beginAt   = journalAt + 320 // which line is being written
	placeAt   = journalAt + 328 // and where: device, inode, offset
)

func (j *journal) word(at int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&j.mem[at])) }

// load goes on with what is in the file.
func (j *journal) load() (txn uint64, d Daemon) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := bothAt + int(j.word(turnAt).Load()%2)*oneSize
	c := committed{txn: j.word(at).Load(), head: j.word(at + 8).Load(),
		daemon: Daemon{Mood: int(int64(j.word(at + 16).Load())), NextSerial: j.word(at + 24).Load(), Beginning: j.word(at+32).Load() != 0,
			ExitCode: int(int64(j.word(at + 40).Load()))}}
	if c.txn > 1<<62 { // no daemon gets there
		c.txn = 0
	}
	tail := j.word(tailAt).Load()
	if c.head-tail > ringSize { // nothing is left
		c.head = tail
	}
	for at := tail; at != c.head; {
		size, ok := j.sizeAt(at, c.head)
		if !ok {
			c.head = at
			break
		}
		at += lineHeader + size
	}
	j.now, j.head = c, c.head
	return c.txn, c.daemon
}

// sizeAt is that of the line at a position; ok is false if that is none. mu is held.
func (j *journal) sizeAt(at, head uint64) (size uint64, ok bool) {
	if head-at < lineHeader {
		return 0, false
	}
	var n [lineHeader]byte
	j.get(n[:], at)
	size = uint64(binary.NativeEndian.Uint32(n[:]))
	return size, size <= head-at-lineHeader
}

// store makes c count. mu is held.
func (j *journal) store(c committed) {
	turn := j.word(turnAt).Load() + 1
	at := bothAt + int(turn%2)*oneSize
	j.word(at).Store(c.txn)
	j.word(at + 8).Store(c.head)
	j.word(at + 16).Store(uint64(int64(c.daemon.Mood)))
	j.word(at + 24).Store(c.daemon.NextSerial)
	beginning := uint64(0)
	if c.daemon.Beginning {
		beginning = 1
	}
	j.word(at + 32).Store(beginning)
	j.word(at + 40).Store(uint64(int64(c.daemon.ExitCode)))
	j.word(turnAt).Store(turn)
	j.now = c
}

func (j *journal) commit(txn uint64, d Daemon) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store(committed{txn, j.head, d})
}

// close ends the use of the file; the log may live on for a moment.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mem = nil
}

// Add puts a line into the ring, from where the next daemon has it once it was published or committed, until
// all up to its mark is Written. ok is false if there is no room.
func (s *State) Add(line []byte) (mark uint64, ok bool) {
	j := &s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mem == nil {
		return 0, false
	}
	tail := j.word(tailAt).Load()
	if tail == j.head && tail%ringSize != 0 { // empty: the same few pages again
		j.head = (tail/ringSize + 1) * ringSize
		tail = j.head
		j.word(tailAt).Store(tail)
	}
	if j.head-tail+lineHeader+uint64(len(line)) > ringSize {
		return 0, false
	}
	var n [lineHeader]byte
	binary.NativeEndian.PutUint32(n[:], uint32(len(line)))
	j.put(j.head, n[:])
	j.put(j.head+lineHeader, line)
	j.head += lineHeader + uint64(len(line))
	return j.head, true
}

// Publish makes the lines that were added count.
func (s *State) Publish() {
	j := &s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if c := j.now; j.mem != nil {
		c.head = j.head
		j.store(c)
	}
}

// Begin notes that the line with that mark is about to be written, and where.
func (s *State) Begin(mark uint64, at dlog.Place) {
	j := &s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mem == nil {
		return
	}
	j.word(beginAt).Store(0)
	j.word(placeAt).Store(at.Dev)
	j.word(placeAt + 8).Store(at.Ino)
	j.word(placeAt + 16).Store(uint64(at.Offset))
	j.word(beginAt).Store(mark)
}

// Written takes the lines up to a mark out of the ring.
func (s *State) Written(mark uint64) {
	j := &s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mem != nil {
		j.word(tailAt).Store(mark)
	}
}

// Left are the lines in the ring, the oldest first.
func (s *State) Left() (list []dlog.Line) {
	j := &s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mem == nil {
		return nil
	}
	begun := j.word(beginAt).Load()
	for at := j.word(tailAt).Load(); at != j.head; {
		size, ok := j.sizeAt(at, j.head)
		if !ok {
			return list
		}
		text := make([]byte, size)
		j.get(text, at+lineHeader)
		at += lineHeader + size
		l := dlog.Line{Text: text, Mark: at}
		if l.Begun = at == begun; l.Begun {
			l.At = dlog.Place{Dev: j.word(placeAt).Load(), Ino: j.word(placeAt + 8).Load(), Offset: int64(j.word(placeAt + 16).Load())}
		}
		list = append(list, l)
	}
	return list
}

func (j *journal) ring() []byte { return j.mem[pageSize:] }

func (j *journal) put(at uint64, p []byte) {
	n := copy(j.ring()[at%ringSize:], p)
	copy(j.ring(), p[n:])
}

func (j *journal) get(p []byte, at uint64) {
	n := copy(p, j.ring()[at%ringSize:])
	copy(p[n:], j.ring())
}
