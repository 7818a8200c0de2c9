package supervisor

import (
	"cmp"
	"slices"
	"time"

	"holdfast/internal/health"
	"holdfast/internal/process"
)

// ProcessInfo is what is known of one process.
func (s *Supervisor) ProcessInfo(name string) (info Info, err error) {
	err = s.visit(func() error {
		p, err := s.find(name)
		if err == nil {
			info = s.info(p, time.Now())
		}
		return err
	})
	return info, err
}

// AllProcessInfo is what is known of every process.
func (s *Supervisor) AllProcessInfo() (infos []Info, err error) {
	err = s.visit(func() error {
		now := time.Now()
		for _, g := range s.groups {
			for _, p := range g.procs {
				infos = append(infos, s.info(p, now))
			}
		}
		return nil
	})
	slices.SortStableFunc(infos, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name))
	})
	return infos, err
}

func (s *Supervisor) info(p *proc, now time.Time) Info {
	r := &p.record
	info := Info{
		Name: p.config.Name, Group: p.group.config.Name,
		State: r.State, PID: r.PID,
		Start: r.Started, Stop: r.Stopped, Now: now,
		SpawnErr: r.SpawnErr, ExitStatus: r.ExitCode(),
		StdoutLog: p.config.Stdout.File, StderrLog: p.config.Stderr.File,
		Config: p.config,

		Waiting: s.waitsFor(p, now), Ready: p.isReady(), LastExit: r.Last, Restarts: r.Restarts,
	}
	if life(r) != health.Gone {
		info.NotReady, info.ReadySince = p.health.Why, p.health.Since
		info.Status, info.MainPID = p.health.Status, p.health.MainPID
	}
	if r.State == process.Backoff || r.State == process.Exited || r.State == process.Fatal || r.State == process.Stopping {
		info.Next = r.Deadline
	}
	if r.State == process.Stopping && r.LeaderGone {
		info.ExitStatus = 0 // it is not over yet
	}
	return info
}

// AllConfigInfo is what the configuration read last says of every process.
func (s *Supervisor) AllConfigInfo() (infos []ConfigInfo, err error) {
	err = s.visit(func() error {
		for i := range s.parsed.Groups {
			g := &s.parsed.Groups[i]
			for j := range g.Processes {
				infos = append(infos, ConfigInfo{
					Process:       &g.Processes[j],
					GroupPriority: g.Priority,
					InUse:         s.group(g.Name) != nil,
				})
			}
		}
		return nil
	})
	slices.SortStableFunc(infos, func(a, b ConfigInfo) int {
		return cmp.Compare(a.Process.Name, b.Process.Name)
	})
	return infos, err
}
