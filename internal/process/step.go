package process

import (
	"cmp"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"holdfast/internal/dlog"
)

// Step is what happens to a process in record r when e happens at now. It changes nothing but
// what it returns. A fact that can't happen in r (see Expects) changes nothing and is logged as
// an internal error.
func Step(p *Program, r Record, e Event, now time.Time) (Record, []Action) {
	m := machine{p: p, r: r, now: now}
	if !Expects(&r, e) {
		m.log(dlog.Error, "internal error: "+describe(p, &r, e))
		return m.r, m.do
	}
	switch e := e.(type) {
	case Start:
		m.start()
	case Stop:
		m.stop(e)
	case Freeze:
		m.r.Frozen = true
		if m.r.State == Backoff || m.r.State == Exited || m.r.State == Fatal {
			m.r.Deadline = time.Time{} // no further try; the stop of its group ends BACKOFF
		}
	case Spawned:
		m.spawned(e.PID)
	case SpawnFailed:
		m.spawnFailed(e.Err)
	case Reaped:
		// Differs: the original looks at startsecs before it reaps, and may call a dead process up.
		if m.r.State == Starting {
			m.r.TooQuick, m.r.Deadline = m.now.Before(m.r.Deadline), time.Time{}
		}
	case Ended:
		m.ended(e)
	case GroupGone:
		m.gone()
	case SignalFailed:
		m.signalFailed(e)
	case Deadline:
		m.deadline()
	case Release:
		m.release()
	case Unhealthy:
		m.unhealthy(e)
	case Ready:
		m.r.Retries = 0
	case Extend:
		if m.r.State == Stopping && m.r.Unwell == Well && !m.r.Deadline.IsZero() && e.Until.After(m.r.Deadline) {
			m.r.Deadline = e.Until
		}
	case StopCommandDone:
		if e.Err != "" {
			m.log(dlog.Warn, stopCommandText(m.p.Name, e.Err))
		}
		m.stopSignal()
	}
	return m.r, m.do
}

// Expects tells whether e can happen in r. Wishes can always be uttered. Every other pair of
// state and event stands here; TestExpectsIsComplete walks them all.
func Expects(r *Record, e Event) bool {
	forking := r.PID == 0 && (r.State == Starting && !r.Held || r.State == Stopping) && !r.LeaderGone
	alive := r.PID != 0 && !r.LeaderGone
	switch e.(type) {
	case Start, Stop, Freeze, Unhealthy, Ready, Extend:
		return true
	case Release:
		return r.Held
	case StopCommandDone:
		return r.Commanded
	case Spawned, SpawnFailed:
		return forking
	case Reaped, Ended:
		return alive
	case GroupGone:
		return r.LeaderGone
	case SignalFailed:
		return alive || r.LeaderGone
	case Deadline:
		return !r.Deadline.IsZero()
	}
	return false
}

// A machine is one Step under way.
type machine struct {
	p   *Program
	r   Record
	now time.Time
	do  []Action
}

func (m *machine) log(l slog.Level, text string) { m.do = append(m.do, Log{l, text}) }

func (m *machine) enter(s State) { m.changed(Changed{To: s}) }

func (m *machine) changed(c Changed) {
	c.From, c.PID = m.r.State, m.r.PID
	if c.To == Starting || c.To == Backoff {
		c.PID, c.Tries = 0, m.r.Retries
	}
	m.r.State = c.To
	m.do = append(m.do, c)
}

func (m *machine) after(secs int) time.Time { return m.now.Add(time.Duration(secs) * time.Second) }

func (m *machine) start() {
	switch m.r.State {
	case Stopped, Exited, Fatal, Backoff:
		m.r.Failures, m.r.WindowStarts = 0, 0
		m.spawn()
		m.r.Restarts = 0
	case Stopping:
		m.log(dlog.Warn, alreadyRunning(m.p.Name))
	case Starting, Running, Unknown:
	}
}

func (m *machine) spawn() {
	m.r.Killing, m.r.TooQuick, m.r.SpawnErr, m.r.Exit = false, false, "", nil
	m.r.Deadline = time.Time{}
	m.r.Restarts++
	m.enter(Starting)
	if m.p.Gated {
		m.r.Held = true
		return
	}
	m.begin()
}

// begin is what a held start has been waiting for.
func (m *machine) begin() {
	m.r.Started = m.now
	m.count()
	m.do = append(m.do, SpawnProcess{})
}

func (m *machine) release() {
	m.r.Held = false
	switch {
	case m.r.State == Starting:
		m.begin()
	case m.r.LeaderGone:
		m.stopSignal()
	case m.r.PID != 0: // else Spawned brings the signal
		m.firstSignal()
	}
}

func (m *machine) spawned(pid int) {
	m.r.PID = pid
	m.log(dlog.Info, spawnedText(m.p.Name, pid))
	if m.r.State == Stopping { // the stop came before the fork's answer
		if !m.r.Held {
			m.firstSignal()
		}
		return
	}
	if m.p.StartSecs <= 0 {
		m.up()
		return
	}
	m.r.Deadline = m.after(m.p.StartSecs)
}

// up: the process has stayed up for startsecs.
func (m *machine) up() {
	m.r.Deadline = time.Time{}
	if !m.p.StartBound {
		m.r.Retries = 0
	}
	m.enter(Running)
	m.log(dlog.Info, successText(m.p.Name, m.p.StartSecs))
}

func (m *machine) spawnFailed(err string) {
	if m.r.State == Stopping {
		m.r.Stopped = m.now
		m.stopped()
		return
	}
	m.r.SpawnErr = err
	m.log(dlog.Info, spawnErrText(err))
	m.backOff(1)
}

// backOff counts a failed start, and gives up when that was the last one allowed; code is what the process
// has left, or 1.
func (m *machine) backOff(code int) {
	m.r.Retries++
	m.failed()
	m.r.Deadline = m.waited()
	m.enter(Backoff)
	// Differs: in the original any negative number is as 0.
	if m.p.StartRetries != -1 && m.r.Retries > m.p.StartRetries {
		m.giveUp()
		m.log(dlog.Info, gaveUpText(m.p.Name))
		m.end(EndsFatal, code)
	} else if m.r.Frozen {
		m.r.Deadline = time.Time{}
	}
}

func (m *machine) giveUp() {
	m.r.Deadline, m.r.Retries = time.Time{}, 0
	if m.p.Patience.FatalRetrySecs > 0 && !m.r.Frozen {
		m.r.Deadline = m.after(m.p.Patience.FatalRetrySecs)
	}
	m.enter(Fatal)
}

func (m *machine) stop(e Stop) {
	switch m.r.State {
	case Starting, Running:
		if m.r.Held {
			if !e.Again {
				m.enter(Stopping)
				m.stopped()
			}
			return
		}
		m.r.Killing, m.r.Deadline = true, time.Time{}
		m.r.Again = e.Again
		m.enter(Stopping)
		if m.r.PID == 0 {
			m.do = append(m.do, CancelSpawn{})
			return
		}
		if m.r.Held = e.Held; !e.Held {
			m.firstSignal()
		}
	case Backoff:
		if e.Again {
			return // it will be, and is held then
		}
		if e.Final {
			m.giveUp()
			m.r.Deadline = time.Time{}
			return
		}
		m.log(dlog.Debug, killInBackoffText(m.p.Name))
		// Differs: the original keeps the count of failures over the stop, so that the next
		// start may give up after a single one (quirks 43), and shows the epoch as the time of
		// the stop (quirks 44).
		m.r.Deadline, m.r.Retries, m.r.Stopped = time.Time{}, 0, m.now
		m.enter(Stopped)
	case Exited, Fatal:
		if !e.Again {
			m.r.Deadline = time.Time{} // of a restart that was to come
		}
	case Stopping:
		if !e.Again { // it would be started again otherwise
			m.r.Again, m.r.Unwell = false, Well
		}
	case Stopped, Unknown:
	}
}

// unhealthy stops a process that nobody wants to be stopped.
func (m *machine) unhealthy(e Unhealthy) {
	if m.r.PID == 0 || m.r.State != Starting && m.r.State != Running {
		return
	}
	m.log(dlog.Warn, unhealthyText(m.p.Name, m.r.PID, e.Why))
	m.r.Killing, m.r.Unwell, m.r.SpawnErr = true, e.Unwell, e.Why
	m.enter(Stopping)
	m.r.StopSteps, m.r.Deadline = 0, m.after(m.p.StopWaitSecs)
	// A stop command would ask the process that does not answer.
	if e.Unwell == NotAlive && m.p.LiveSignal != 0 {
		m.kill(m.p.LiveSignal, m.p.StopAsGroup)
		return
	}
	m.kill(m.p.StopSignal, m.p.StopAsGroup)
}

// stopped is the end of a stop.
func (m *machine) stopped() {
	again := m.r.Again && !m.r.Frozen
	m.r.Killing, m.r.LeaderGone, m.r.Again, m.r.Held, m.r.Commanded = false, false, false, false, false
	m.r.Unwell, m.r.Deadline = Well, time.Time{}
	m.enter(Stopped)
	m.r.PID = 0
	if again {
		m.spawn()
	}
}

func (m *machine) firstSignal() {
	if m.p.StopCommand {
		m.r.Commanded, m.r.Deadline = true, m.after(max(m.p.StopWaitSecs, 1))
		m.do = append(m.do, RunStopCommand{})
		return
	}
	m.stopSignal()
}

func (m *machine) stopSignal() {
	m.r.Commanded, m.r.StopSteps, m.r.Deadline = false, 0, m.after(m.p.StopWaitSecs)
	m.kill(m.p.StopSignal, m.p.StopAsGroup)
}

// nextSignal is for a process that the last one has not stopped: the next of the list, and SIGKILL behind it.
func (m *machine) nextSignal() {
	if m.r.StopSteps < len(m.p.StopMore) {
		s := m.p.StopMore[m.r.StopSteps]
		m.r.StopSteps++
		m.r.Deadline = m.after(s.WaitSecs)
		m.log(dlog.Warn, nextSignalText(m.p.Name, m.r.PID, s.Signal))
		m.kill(s.Signal, m.p.StopAsGroup)
		return
	}
	// Differs: at least a second, so that stopwaitsecs=0 can't make a process that is stuck in the
	// kernel keep the daemon busy. The original sends SIGKILL at every turn of its loop.
	m.r.Deadline = m.after(max(m.p.StopWaitSecs, 1))
	m.log(dlog.Warn, nextSignalText(m.p.Name, m.r.PID, syscall.SIGKILL))
	m.kill(syscall.SIGKILL, m.p.KillAsGroup)
}

func (m *machine) kill(sig syscall.Signal, group bool) {
	m.log(dlog.Debug, killingText(m.p.Name, m.r.PID, sig, group))
	m.do = append(m.do, Kill{sig, group})
}

func (m *machine) deadline() {
	switch m.r.State {
	case Starting:
		m.up()
	case Backoff, Exited:
		m.tryAgain(1)
	case Fatal:
		m.r.Failures, m.r.WindowStarts = 0, 0
		m.log(dlog.Info, outOfFatalText(m.p.Name, m.p.Patience.FatalRetrySecs))
		m.spawn()
	case Stopping:
		if m.r.Commanded {
			m.log(dlog.Warn, stopCommandText(m.p.Name, "it is not done"))
			m.stopSignal()
			return
		}
		m.nextSignal()
	default:
		m.r.Deadline = time.Time{}
	}
}

func (m *machine) ended(e Ended) {
	status := e.Status
	expected := m.expected(status)
	m.r.Last = &status
	if status.OOM { // Differs: the original does not look
		m.log(dlog.Warn, oomText(m.p.Name))
	}
	switch {
	case m.r.Killing:
		m.r.Exit = &status
		if e.GroupAlive && (m.p.StopAsGroup || m.p.KillAsGroup) {
			// Differs: the original says stopped while the rest of the group is still
			// shutting down. The pid stays: it is the group's number.
			m.r.LeaderGone = true
			m.log(dlog.Info, groupLeftText(m.p.Name, status))
			return
		}
		m.gone()
		return

	case m.r.State == Starting && (m.r.TooQuick || m.now.Before(m.r.Deadline)) && !(m.p.OneShot && expected):
		m.r.PID, m.r.Stopped, m.r.Exit = 0, m.now, nil
		m.r.SpawnErr = tooQuickText
		m.log(dlog.Warn, exitedText(m.p.Name, status, false))
		m.backOff(status.code())

	default:
		if m.r.State == Starting {
			m.enter(Running) // no success line: spec process §4.5
		}
		if !expected {
			m.r.SpawnErr = badExitText(status.shown())
		}
		m.exited(status, expected, status.code())
	}
}

// exited is the end of a process that was up; code is what the supervisor ends with, if that is its end.
func (m *machine) exited(status ExitStatus, expected bool, code int) {
	m.r.Deadline, m.r.Retries, m.r.Stopped, m.r.Exit = time.Time{}, 0, m.now, &status
	level, why := dlog.Info, EndsExited
	if !expected {
		level, why = dlog.Warn, EndsFailed
	}
	m.log(level, exitedText(m.p.Name, status, expected))
	m.changed(Changed{To: Exited, Expected: expected})
	m.r.PID = 0
	if !m.r.Frozen && !m.end(why, code) && m.restarts(expected) {
		m.again(code)
	}
}

// end ends the supervisor, if that is what is to happen then.
func (m *machine) end(why EndsWhen, code int) bool {
	if m.p.EndsWhen < why || m.r.Frozen {
		return false
	}
	m.r.Deadline = time.Time{}
	m.log(dlog.Warn, endSupervisorText(m.p.Name, m.r.State, code))
	m.do = append(m.do, EndSupervisor{code})
	return true
}

// A program that has ended quickLives times in a row within quickLife of its start is started again
// only when quickLife has passed since: it can only be one with startsecs=0, and it would take a whole
// processor and fill the log for nothing.
//
// Differs: in the original the turn of its loop, a second, comes between any two lives.
const (
	quickLives = 5
	quickLife  = time.Second
)

// again starts a process that has ended by itself, with that code: at once, but for one that does so all the
// time.
func (m *machine) again(code int) {
	if m.p.Patience.RestartSecs > 0 {
		m.failed()
		m.r.Deadline = m.waited()
		return
	}
	if m.now.Sub(m.r.Started) >= quickLife {
		m.r.QuickLives = 0
	} else if m.r.QuickLives++; m.r.QuickLives > quickLives {
		m.r.Deadline = m.r.Started.Add(quickLife)
		return
	}
	m.tryAgain(code)
}

func (m *machine) expected(s ExitStatus) bool { return m.p.Expects(s) }

// Expects tells whether s is one of the program's exit codes.
func (p *Program) Expects(s ExitStatus) bool {
	return s.Signal == 0 && !s.Unknown && slices.Contains(p.ExitCodes, s.Code)
}

func (m *machine) restarts(expected bool) bool {
	return m.p.AutoRestart == RestartAlways || m.p.AutoRestart == RestartUnexpected && !expected
}

// gone: a process that was being stopped has ended, and its group with it where that matters.
func (m *machine) gone() {
	status := *m.r.Exit
	unwell := m.r.Unwell
	if unwell != Well {
		m.r.Killing, m.r.LeaderGone, m.r.Unwell = false, false, Well
	}
	code := cmp.Or(status.code(), 1) // it has failed, however politely it ends when it is told to
	switch unwell {
	case NotAlive:
		m.exited(status, false, code)
		return
	case NotReady:
		m.r.PID, m.r.Stopped, m.r.Exit = 0, m.now, nil
		m.log(dlog.Warn, exitedText(m.p.Name, status, false))
		m.backOff(code)
		return
	}
	level := dlog.Warn
	if m.expected(status) {
		level = dlog.Info
	}
	m.log(level, stoppedText(m.p.Name, status))
	m.r.Stopped = m.now
	m.stopped()
}

func (m *machine) signalFailed(e SignalFailed) {
	m.log(dlog.Crit, signalFailedText(m.p.Name, m.r.PID, m.r.Killing, e))
	m.r.Deadline = time.Time{}
	m.r.Held, m.r.Again, m.r.Commanded, m.r.Unwell = false, false, false, Well
	if m.r.State != Unknown {
		m.enter(Unknown)
	}
}
