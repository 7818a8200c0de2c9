package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// turn calls f for every peer, beginning with another one in each round.
func (b *bench) turn(rounds int, f func(p *peer) error) error {
	for r := range rounds {
		for i := range b.peers {
			p := b.peers[(r+i)%len(b.peers)]
			if err := f(p); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

// restarts measures from SIGKILL to the first instruction of the new instance.
func (b *bench) restarts(rounds int) error {
	type subject struct {
		*instance
		last report
		took []time.Duration
	}
	subjects := map[*peer]*subject{}
	for _, p := range b.peers {
		in, err := b.start(p, 1)
		if err != nil {
			return err
		}
		defer in.stop()
		s := &subject{instance: in}
		if s.last, err = in.next(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		subjects[p] = s
	}
	once := func(p *peer, lived time.Duration) (time.Duration, error) {
		s := subjects[p]
		// At a time that no loop of the peer can be in step with.
		settle := lived + rand.N(20*time.Millisecond)
		time.Sleep(settle - time.Duration(now()-s.last.at))
		took, r, err := s.kill(s.last.pid)
		s.last = r
		return took, err
	}
	if err := b.turn(2, func(p *peer) error { _, err := once(p, p.settle); return err }); err != nil { // to warm up
		return err
	}
	err := b.turn(rounds, func(p *peer) error {
		for i, began := 0, time.Now(); i < 5 && time.Since(began) < 400*time.Millisecond; i++ {
			lived := p.settle
			if i == 0 { // ours lets a program wait whose last lives were all shorter than a second
				lived = oneSecond
			}
			took, err := once(p, lived)
			if err != nil {
				return err
			}
			subjects[p].took = append(subjects[p].took, took)
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("\nrestart: SIGKILL to the new instance's first instruction\n")
	fmt.Printf("%-14s %10s %10s %8s %6s\n", "", "median", "p90", "ratio", "kills")
	base := median(subjects[b.peers[0]].took)
	for _, p := range b.peers {
		took := subjects[p].took
		fmt.Printf("%-14s %10s %10s %8s %6d\n", p.name, ms(median(took)), ms(quantile(took, 0.9)), ratio(median(took), base), len(took))
	}
	return nil
}

// starts measures from the fork of the daemon to the first instruction of its last program.
func (b *bench) starts(rounds, count int) error {
	up, first := map[*peer][]time.Duration{}, map[*peer][]time.Duration{}
	err := b.turn(rounds, func(p *peer) error {
		in, err := b.start(p, count)
		if err != nil {
			return err
		}
		defer in.stop()
		earliest, latest, err := in.allUp(count)
		up[p] = append(up[p], time.Duration(latest-in.began))
		first[p] = append(first[p], time.Duration(earliest-in.began))
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("\nstart: exec of the daemon to the first instruction of the last of %d programs\n", count)
	fmt.Printf("%-14s %10s %10s %8s %16s %6s\n", "", "median", "p90", "ratio", "of it to the 1st", "runs")
	base := median(up[b.peers[0]])
	for _, p := range b.peers {
		fmt.Printf("%-14s %10s %10s %8s %16s %6d\n", p.name, ms(median(up[p])), ms(quantile(up[p], 0.9)),
			ratio(median(up[p]), base), ms(median(first[p])), len(up[p]))
	}
	return nil
}

// allUp waits for count programs and returns when the first and the last of them began.
func (in *instance) allUp(count int) (earliest, latest int64, err error) {
	for seen := map[int]bool{}; len(seen) < count; {
		r, err := in.next()
		if err != nil {
			return 0, 0, fmt.Errorf("%d of %d programs: %w", len(seen), count, err)
		}
		seen[r.pid] = true
		if earliest == 0 {
			earliest = r.at
		}
		earliest, latest = min(earliest, r.at), max(latest, r.at)
	}
	return earliest, latest, nil
}

// logs measures how fast the output of one program gets into its log, and what that costs.
func (b *bench) logs(rounds, mib int) error {
	const block = 4096
	writes := mib << 20 / block
	fmt.Printf("\nlog: %d MiB of lines from one program, 4 KiB a write\n", mib)
	took, cpu := map[*peer][]time.Duration{}, map[*peer][]time.Duration{}
	err := b.turn(rounds, func(p *peer) error {
		if !p.logs {
			return nil
		}
		in, err := b.start(p, 1, fmt.Sprintf("%s=%d", writesVar, writes))
		if err != nil {
			return err
		}
		defer in.stop()
		first, err := in.next()
		if err != nil {
			return err
		}
		pids, _ := in.processes() // its start is not counted
		before := usageOf(pids)
		last, err := in.next()
		if err != nil {
			return err
		}
		if err := in.logged(int64(writes) * block); err != nil {
			return err
		}
		took[p] = append(took[p], time.Duration(last.at-first.at))
		cpu[p] = append(cpu[p], usageOf(pids).cpu-before.cpu)
		return in.removeLogs()
	})
	if err != nil {
		return err
	}
	fmt.Printf("%-14s %12s %8s %18s %6s\n", "", "median", "ratio", "daemon's CPU", "runs")
	var base time.Duration
	for _, p := range b.peers {
		if !p.logs {
			continue
		}
		if base == 0 {
			base = median(took[p])
		}
		gib := float64(mib) / 1024
		fmt.Printf("%-14s %7.0f MB/s %8s %12.2f s/GiB %6d\n", p.name, float64(writes*block)/1e6/median(took[p]).Seconds(),
			ratio(base, median(took[p])), median(cpu[p]).Seconds()/gib, len(took[p]))
	}
	return nil
}

// idle measures what a daemon with count idle programs costs.
func (b *bench) idle(count int, d time.Duration) error {
	fmt.Printf("\nidle: %d programs up, nothing happens for %v; all processes of the daemon together\n", count, d)
	fmt.Printf("%-14s %10s %10s %8s %10s %12s %8s\n", "", "PSS", "RSS", "threads", "CPU", "wake-ups/s", "procs")
	return b.turn(1, func(p *peer) error {
		in, err := b.start(p, count)
		if err != nil {
			return err
		}
		defer in.stop()
		if _, _, err := in.allUp(count); err != nil {
			return err
		}
		time.Sleep(2 * time.Second) // every program has passed its startsecs
		pids, _ := in.processes()
		before := usageOf(pids)
		time.Sleep(d)
		after := usageOf(pids)
		fmt.Printf("%-14s %7.1f MB %7.1f MB %8d %9.2f%% %12.1f %8d\n", p.name,
			float64(after.pss)/1024, float64(after.rss)/1024, after.threads,
			100*float64(after.cpu-before.cpu)/float64(d), float64(after.switches-before.switches)/d.Seconds(), len(pids))
		return nil
	})
}

func median(d []time.Duration) time.Duration { return quantile(d, 0.5) }

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[int(q*float64(len(d)-1)+0.5)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

func ratio(d, base time.Duration) string {
	if base == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(d)/float64(base))
}
