// Package survive keeps, in a file, what a daemon must know of the processes that a daemon before it
// has left running, and says what has become of each of them.
//
// The file is mapped: what is in it is there whatever happens to the process that wrote it, by
// SIGKILL at any instruction too. A reboot makes it void; it is never synced to a disk. It has a
// slot for each process of the active groups:
//
//	cell    a few words, written where things happen: the kernel puts the pid of a fork there, the
//	        reaper the exit status before it reaps (package launch)
//	record  what the loop knows (package process), as JSON; in two halves, so that the one that was
//	        committed last is always whole
//
// slots for each event that a pool of listeners has accepted and not yet seen processed, and, before the
// slots, the lines of the daemon's log that are not in their file yet.
//
// What the loop knows is kept together: Keep, KeepEvent, EndEvent, KeepDaemon and the loop's own lines (Add)
// count from the next Commit on, all at once, or not at all.
//
// Beside it lies a file with the configuration of these groups: whatever has been written into the
// configuration files since is for a reread to apply, not for the death of a daemon.
//
// A lock on the file makes sure that one daemon at a time has it.
package survive

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/internal/health"
	"holdfast/internal/launch"
	"holdfast/internal/process"
)

// Version is that of the file's layout. What a reader does not know of a record it passes over, and
// what a record lacks is zero: a new field needs no new version. A file of another version is refused while
// the boot lasts that it was written in.
const Version = 2

const (
	pageSize   = 4096
	headerSize = pageSize + ringSize
	slotSize   = 2048
	cellSize   = 128
	kindAt     = cellSize - 8 // in each slot, behind its Cell: what it is
	halfSize   = (slotSize - cellSize) / 2
	halfHeader = 16 // length and checksum of 4 bytes each, number of the commit of 8

	// maxSlots is what room is reserved for, in addresses alone.
	maxSlots = 1 << 17
)

// A Header says whose file it is.
type Header struct {
	Version int
	Boot    string    // the boot's id
	PID     int       // of the daemon, or the guard above it
	Since   time.Time // when it took the file over
	Config  string    // path of its configuration
}

// A HeldError tells that another daemon has the file.
//
// Differs: the original overwrites another's pidfile, and is stopped by its socket at most.
type HeldError struct {
	Path   string
	Header Header
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("another supervisord is running: pid %d, since %s, on %s; it holds %s (stop it, or give this configuration a pidfile= of its own)",
		e.Header.PID, e.Header.Since.Local().Format("2006-01-02 15:04:05"), e.Header.Config, e.Path)
}

// A VersionError tells that the processes of a file can't be taken over by this program.
type VersionError struct {
	Path    string
	Version int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has version %d, and this supervisord knows %d: use the one that wrote it, or stop its processes and remove the file",
		e.Path, e.Version, Version)
}

// Check tells whether this program could take over from the daemon that has the state file at path.
func Check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := readHeader(f)
	if err != nil {
		return fmt.Errorf("%s is no state file: %w", path, err)
	}
	if h.Version != Version {
		return &VersionError{path, h.Version}
	}
	return nil
}

// PathFor is the state file of a daemon with this pidfile.
func PathFor(pidfile string) string { return strings.TrimSuffix(pidfile, ".pid") + ".state" }

// A State is an open state file. Cell is for any goroutine, and so are the methods that package dlog calls;
// the others are for the loop's.
type State struct {
	path string
	f    *os.File
	mem  []byte // maxSlots, of which the file backs size
	size int

	found       []Entry
	foundEvents []Event
	foundDaemon Daemon
	foundHeader Header

	txn    uint64 // of the last commit; what is kept now gets the next number
	daemon Daemon // as it will be committed
	events map[eventID]int
	parts  int   // slots that events have
	ended  []int // the first slots of events that end with the next commit

	journal journal

	mu    sync.Mutex
	slots map[id]int // guarded by mu
	free  []int      // guarded by mu
	n     int        // guarded by mu; slots that the file has room for and that were given out
}

type id struct{ group, name string }

// An Entry is a process as the file has it.
type Entry struct {
	Group, Name string
	Kept
	Cell launch.Cell // a copy
}

// Kept is what the loop knows of a process.
type Kept struct {
	Record    process.Record
	Signal    Signal // was about to be sent
	AutoStart bool   // was about to be started, as its group had just come
	PostStop  int    // the commands around the end of this process were under way, and it had ended
	Health    health.Kept
	Listener  *Listener // nil unless it is one
}

// A Listener is what is kept of an event listener beside its process.
type Listener struct {
	Said       int    `json:"said,omitempty"`       // its state in the event protocol
	Pending    []byte `json:"pending,omitempty"`    // what it has written that says nothing yet
	Missing    int    `json:"missing,omitempty"`    // of its result
	Result     []byte `json:"result,omitempty"`     // the first of what is there of it
	Heard      []byte `json:"heard,omitempty"`      // its last output
	InHand     uint64 `json:"inHand,omitempty"`     // one more than the pool's number of the event that it has in hand
	Staged     bool   `json:"staged,omitempty"`     // that event waited outside of the daemon to be written to it
	NextSerial uint64 `json:"nextSerial,omitempty"` // of its pool
	Events     int    `json:"events,omitempty"`     // that its pool has
}

// A Signal is one that the loop had decided on; zero is none.
type Signal struct {
	Number int
	Group  bool
}

// Open opens, or makes, the state file and locks it. What a daemon before this one has left in it is
// in Found. The error is a *HeldError if another daemon is running, and a *VersionError if the file is not to be
// understood.
func Open(path string, header Header) (s *State, err error) {
	header.Version = Version
	if header.Boot, err = boot(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		h, _ := readHeader(f)
		return nil, &HeldError{path, h}
	} else if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	s = &State{path: path, f: f, slots: make(map[id]int), events: make(map[eventID]int)}
	s.mem, err = unix.Mmap(int(f.Fd()), 0, headerSize+maxSlots*slotSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("cannot map %s: %w", path, err)
	}
	mem := s.mem
	defer func() {
		if err != nil {
			unix.Munmap(mem)
		}
	}()
	before, _ := readHeader(f)
	if before.Boot == header.Boot && before.Version != Version {
		return nil, &VersionError{path, before.Version}
	}
	if before.Boot != header.Boot {
		if err := f.Truncate(0); err != nil {
			return nil, err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s.size = int(min(info.Size(), int64(len(s.mem))))
	if err := s.grow(headerSize); err != nil {
		return nil, err
	}
	s.journal.mem = s.mem[:headerSize]
	if before.Boot == header.Boot {
		s.foundHeader = before
		s.load()
	}
	return s, s.writeHeader(header)
}

func boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// readHeader reads a header; that of a file that has none is zero.
func readHeader(f *os.File) (h Header, err error) {
	buf := make([]byte, headerSize)
	n, _ := f.ReadAt(buf, 0)
	line, _, _ := strings.Cut(string(buf[:n]), "\n")
	err = json.Unmarshal([]byte(line), &h)
	return h, err
}

// A Daemon is what is kept beside the processes.
type Daemon struct {
	Mood       int
	NextSerial uint64 // of events
	Beginning  bool   // not all groups had come, and nothing was started
	ExitCode   int    // to end with
}

// KeepDaemon notes what is known beside the processes.
func (s *State) KeepDaemon(d Daemon) { s.daemon = d }

// FoundDaemon is what was kept in the file when it was opened.
func (s *State) FoundDaemon() Daemon { return s.foundDaemon }

// FoundHeader is that of the daemon before; zero if nothing was found.
func (s *State) FoundHeader() Header { return s.foundHeader }

func (s *State) writeHeader(h Header) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(text) >= journalAt {
		return fmt.Errorf("cannot keep state in %s: the configuration's path is too long", s.path)
	}
	line := make([]byte, journalAt)
	line[copy(line, text)] = '\n'
	copy(s.mem, line)
	return nil
}

// Found is what was in the file when it was opened.
func (s *State) Found() []Entry { return s.found }

// Commit makes all that was kept since the last one count, and the lines that were added.
func (s *State) Commit() {
	s.txn++
	s.journal.commit(s.txn, s.daemon)
	s.freeEnded()
}

// load reads the slots of the daemon before, and goes on with them.
func (s *State) load() {
	s.txn, s.foundDaemon = s.journal.load()
	s.daemon = s.foundDaemon
	s.n = max(0, s.size-headerSize) / slotSize
	used := s.loadEvents()
	for i := range s.n {
		if used[i] {
			continue
		}
		e, ok := s.read(i)
		if !ok || s.kind(i).Load() != processSlot {
			s.wipe(i)
			continue
		}
		s.slots[id{e.Group, e.Name}] = i
		s.found = append(s.found, e)
	}
}

// grow gives the file at least size bytes, with the disk's blocks: a full disk must be an error here
// and not a SIGBUS later.
func (s *State) grow(size int) error {
	if size <= s.size {
		return nil
	}
	err := unix.Fallocate(int(s.f.Fd()), 0, 0, int64(size))
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = s.f.WriteAt(make([]byte, size-s.size), int64(s.size))
	}
	if err != nil {
		return fmt.Errorf("cannot keep state in %s: %w", s.path, err)
	}
	s.size = size
	return nil
}

// slot is the process's, made if it has none.
func (s *State) slot(group, name string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := id{group, name}
	if i, ok := s.slots[key]; ok {
		return i, nil
	}
	i, err := s.takeLocked()
	if err == nil {
		s.slots[key] = i
	}
	return i, err
}

// takeLocked gives out a slot that is empty. mu is held.
func (s *State) takeLocked() (i int, err error) {
	if last := len(s.free) - 1; last >= 0 {
		i, s.free = s.free[last], s.free[:last]
	} else {
		if s.n == maxSlots {
			return 0, fmt.Errorf("cannot keep state in %s: it has room for %d processes", s.path, maxSlots)
		}
		// A page at a time, and more when there are many.
		if err := s.grow(headerSize + (s.n+1+s.n/4)*slotSize); err != nil {
			return 0, err
		}
		i = s.n
		s.n++
	}
	return i, nil
}

func (s *State) bytes(i int) []byte { return s.mem[headerSize+i*slotSize:][:slotSize:slotSize] }

func (s *State) cell(i int) *launch.Cell {
	return (*launch.Cell)(unsafe.Pointer(unsafe.SliceData(s.bytes(i))))
}

// half is one of the two places of a slot's record.
func (s *State) half(i, which int) []byte {
	return s.bytes(i)[cellSize+which*halfSize:][:halfSize:halfSize]
}

// Cell is where package launch notes the pid and the end of the process's forks. It is the process's
// until Drop.
func (s *State) Cell(group, name string) (*launch.Cell, error) {
	i, err := s.slot(group, name)
	if err != nil {
		return nil, err
	}
	return s.cell(i), nil
}

// What a slot is for.
const (
	processSlot = iota
	eventSlot   // the first of an event
	moreSlot    // another of it
)

func (s *State) kind(i int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&s.bytes(i)[kindAt]))
}

// Keep notes what is known of a process.
func (s *State) Keep(group, name string, k *Kept) error {
	i, err := s.slot(group, name)
	if err != nil {
		return err
	}
	data := encode(group, name, k, halfSize-halfHeader)
	if data == nil {
		return fmt.Errorf("cannot keep the state of %s:%s in %s: its name is too long", group, name, s.path)
	}
	// What was committed last stays.
	a, b := number(s.half(i, 0)), number(s.half(i, 1))
	other := s.half(i, 0)
	if a > b && a <= s.txn || b > s.txn {
		other = s.half(i, 1)
	}
	// Void until it is whole.
	binary.NativeEndian.PutUint32(other, 0)
	binary.NativeEndian.PutUint64(other[8:], s.txn+1)
	copy(other[halfHeader:], data)
	binary.NativeEndian.PutUint32(other[4:], crc32.ChecksumIEEE(other[8:halfHeader+len(data)]))
	binary.NativeEndian.PutUint32(other, uint32(len(data)))
	return nil
}

// content is a half's record, if it is whole.
func content(half []byte) (data []byte, ok bool) {
	n := binary.NativeEndian.Uint32(half)
	if n == 0 || int64(n) > int64(len(half)-halfHeader) {
		return nil, false
	}
	data = half[halfHeader : halfHeader+int(n)]
	return data, crc32.ChecksumIEEE(half[8:halfHeader+int(n)]) == binary.NativeEndian.Uint32(half[4:])
}

// number is that of the commit that a half counts from; 0 is that of one that is not whole.
func number(half []byte) uint64 {
	if _, ok := content(half); !ok {
		return 0
	}
	return binary.NativeEndian.Uint64(half[8:])
}

// read takes what was committed last of a slot, and voids what was not, for its number will be another's.
func (s *State) read(i int) (e Entry, ok bool) {
	var last []byte
	for which := range 2 {
		h := s.half(i, which)
		if n := number(h); n > s.txn {
			binary.NativeEndian.PutUint32(h, 0)
		} else if n > 0 && (last == nil || n > number(last)) {
			last = h
		}
	}
	if last == nil {
		return e, false
	}
	data, _ := content(last)
	e, err := decode(data)
	e.Cell = *s.cell(i)
	return e, err == nil
}

func (s *State) wipe(i int) {
	clear(s.bytes(i))
	s.free = append(s.free, i)
}

// Drop forgets a process.
func (s *State) Drop(group, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := id{group, name}
	if i, ok := s.slots[key]; ok {
		delete(s.slots, key)
		s.wipe(i)
	}
}

// Clear forgets all processes and events.
func (s *State) Clear() {
	s.clearEvents()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, i := range s.slots {
		delete(s.slots, key)
		s.wipe(i)
	}
}

// Close gives the file up; it stays, for the next daemon.
func (s *State) Close() error {
	s.journal.close()
	return errors.Join(unix.Munmap(s.mem), s.f.Close())
}

// Remove gives the file up and removes it: nothing is left to be taken over.
func (s *State) Remove() error {
	return errors.Join(os.Remove(s.path), removeGroups(s.path), s.Close())
}
