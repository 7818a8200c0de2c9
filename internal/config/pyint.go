package config

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"holdfast/internal/pyrepr"
)

// parseInt reads a whole number as Python's int does: blanks around it, a sign, and single
// underscores between digits are allowed; any size.
func parseInt(s string, base int) (*big.Int, error) {
	bad := func() (*big.Int, error) {
		return nil, fmt.Errorf("invalid literal for int() with base %d: %s", base, pyrepr.Repr(s))
	}
	digits := strings.TrimSpace(s)
	sign := ""
	if digits != "" && (digits[0] == '+' || digits[0] == '-') {
		sign, digits = digits[:1], digits[1:]
	}
	if base == 8 && len(digits) > 2 && digits[0] == '0' && (digits[1] == 'o' || digits[1] == 'O') {
		digits = strings.TrimPrefix(digits[2:], "_")
	}
	if digits == "" || strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__") {
		return bad()
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r >= rune('0'+base) }) {
		return bad()
	}
	n, ok := new(big.Int).SetString(sign+digits, base)
	if !ok {
		return bad()
	}
	return n, nil
}

// toInt is n, or the nearest number that fits into 32 bits.
//
// Differs: the original takes a number of any size. Past 32 bits none of the options means
// anything more (68 years of stopwaitsecs), and clients of the API can't be told a greater one.
func toInt(n *big.Int) int {
	return int(clamp(n, math.MinInt32, math.MaxInt32))
}

func clamp(n *big.Int, low, high int64) int64 {
	switch {
	case n.Cmp(big.NewInt(low)) < 0:
		return low
	case n.Cmp(big.NewInt(high)) > 0:
		return high
	}
	return n.Int64()
}

// parseRanged reads a number with bounds.
func parseRanged(s string, low, high int64) (int, error) {
	n, err := parseInt(s, 10)
	switch {
	case err != nil:
		return 0, err
	case n.Cmp(big.NewInt(low)) < 0:
		return 0, fmt.Errorf("%s is below lower bound (%d)", n, low)
	case n.Cmp(big.NewInt(high)) > 0:
		return 0, fmt.Errorf("%s is above upper bound (%d)", n, high)
	}
	return int(n.Int64()), nil
}
