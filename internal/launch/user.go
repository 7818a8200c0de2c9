package launch

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// An identity is whom a child becomes, or why it cannot.
type identity struct {
	uid, gid int
	groups   []uint32
	refusal  string // the original's words; empty: go on
}

// lookup resolves a uid at the time of the spawn, so that a user who was made or changed since the
// configuration was read is seen. It returns nil if the daemon already is that user.
func lookup(uid int) *identity {
	id := &identity{uid: uid}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		id.refusal = fmt.Sprintf("Can't find uid %d", uid)
		return id
	}
	switch os.Getuid() {
	case uid:
		return nil
	case 0:
	default:
		id.refusal = "Can't drop privilege as nonroot user"
		return id
	}
	// The primary group comes first, then those that list the name.
	gids, err := u.GroupIds()
	if err != nil {
		id.refusal = "Could not set groups of effective user"
		return id
	}
	id.gid, _ = strconv.Atoi(u.Gid)
	for _, g := range gids {
		n, err := strconv.ParseUint(g, 10, 32)
		if err == nil {
			id.groups = append(id.groups, uint32(n))
		}
	}
	return id
}
