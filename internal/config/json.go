package config

import "encoding/json"

// UnmarshalJSON reads a group as a daemon before this one has noted it. The processes of a FastCGI program
// share one socket, of which JSON knows nothing.
func (g *Group) UnmarshalJSON(data []byte) error {
	type plain Group
	if err := json.Unmarshal(data, (*plain)(g)); err != nil {
		return err
	}
	one := make(map[string]*FastCGI) // by program
	if g.FastCGI != nil && len(g.Processes) > 0 {
		one[g.Processes[0].Program] = g.FastCGI
	}
	for i := range g.Processes {
		p := &g.Processes[i]
		if p.FastCGI == nil {
			continue
		}
		if one[p.Program] == nil {
			one[p.Program] = p.FastCGI
		}
		p.FastCGI = one[p.Program]
	}
	return nil
}
