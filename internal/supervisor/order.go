package supervisor

import (
	"slices"
	"time"
)

// The original looks in rounds at what a call waits for. They are at least round apart, and the turns of
// its loop bring them. So a start that fails sooner after the call than that is noticed with what the next
// turn brings; a stop is not, since it is looked at once more before the first turn.
const (
	round = 50 * time.Millisecond
	turn  = time.Second + round
)

// inOrder is the order of a call's results: first what was clear at once, then round by round what was
// waited for, each in the order of the processes. started is when the call was, if it was a start.
func inOrder(answers []answer, started time.Time) []Result {
	slices.SortStableFunc(answers, func(a, b answer) int { return a.at.Compare(b.at) })
	results := make([]Result, len(answers))
	for from := 0; from < len(answers); {
		to := from + 1
		for to < len(answers) {
			last := answers[to-1].at
			least := round
			if !last.IsZero() && last.Sub(started) < round {
				least = turn
			}
			if answers[to].at.Sub(last) >= least {
				break
			}
			to++
		}
		slices.SortFunc(answers[from:to], func(a, b answer) int { return a.place - b.place })
		from = to
	}
	for i, a := range answers {
		results[i] = a.Result
	}
	return results
}
