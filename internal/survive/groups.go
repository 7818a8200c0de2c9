package survive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"holdfast/internal/config"
)

// groupsFile is where the groups' configuration lies.
func groupsFile(path string) string { return path + ".groups" }

type groups struct {
	Version int
	Groups  []*config.Group
}

// KeepGroups notes the configuration of the groups that are active, or about to be: those of which no
// process has a slot don't count.
func (s *State) KeepGroups(list []*config.Group) error {
	data, err := json.Marshal(groups{Version, list})
	if err != nil {
		return err
	}
	// In one step: a daemon may die between any two.
	tmp := groupsFile(s.path) + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("cannot keep the groups' configuration: %w", err)
	}
	return os.Rename(tmp, groupsFile(s.path))
}

// Groups is the configuration of the groups of Found, in the order in which they were noted.
func (s *State) Groups() ([]*config.Group, error) {
	data, err := os.ReadFile(groupsFile(s.path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var g groups
	if err := json.Unmarshal(data, &g); err != nil {
		return nil, fmt.Errorf("%s: %w", groupsFile(s.path), err)
	}
	known := make(map[string]bool)
	for _, e := range s.found {
		known[e.Group] = true
	}
	var list []*config.Group
	for _, c := range g.Groups {
		if known[c.Name] {
			list = append(list, c)
		}
	}
	return list, nil
}

func removeGroups(path string) error {
	err := os.Remove(groupsFile(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
