package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hoop/broker/api"
)

// nearTime bounds how long names that look alike are asked for.
const nearTime = 2 * time.Second

// withNearNames adds to the error for a name that is not there those that look
// like it.
func (a *App) withNearNames(ctx context.Context, c *api.Client, name string, err error) error {
	var remote *api.Error
	if !errors.As(err, &remote) || remote.Code != api.CodeNotFound {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, nearTime)
	defer cancel()
	found, ferr := c.Connections(ctx)
	if ferr != nil {
		return err
	}
	var near []string
	for _, conn := range found {
		if looksLike(conn.Name, name) {
			near = append(near, conn.Name)
		}
	}
	if len(near) == 0 {
		return err
	}
	slices.Sort(near)
	out := *remote
	out.Hint = "did you mean " + strings.Join(near[:min(len(near), 3)], " or ") + "? " + remote.Hint
	return &out
}

// looksLike reports whether one name may be a slip of the other.
func looksLike(a, b string) bool {
	most := 1 + min(len(a), len(b))/4
	return distance(a, b) <= most || len(b) > 2 && strings.HasPrefix(a, b) || len(a) > 2 && strings.HasPrefix(b, a)
}

// distance is how many letters must be put in, taken out or replaced
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
