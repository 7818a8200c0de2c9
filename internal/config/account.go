package config

import (
	"errors"
	"os/user"
	"strconv"
	"strings"
)

// lookupUser gives the uid of a user name or of a number, which must be somebody's.
func lookupUser(text string) (int, error) {
	if n, err := parseInt(text, 10); err == nil {
		if _, err := user.LookupId(n.String()); err != nil {
			return 0, errors.New("Invalid user id " + text)
		}
		return toInt(n), nil
	}
	u, err := user.Lookup(text)
	if err != nil {
		return 0, errors.New("Invalid user name " + text)
	}
	return strconv.Atoi(u.Uid)
}

// primaryGroup gives the gid that the user database has for uid.
func primaryGroup(uid int) (int, error) {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Gid)
}

func lookupGroup(text string) (int, error) {
	if n, err := parseInt(text, 10); err == nil {
		_, err := user.LookupGroupId(n.String())
		return toInt(n), err
	}
	g, err := user.LookupGroup(text)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// An owner is what "user" or "user:group" says; gid is -1 if no group is named.
type owner struct{ uid, gid int }

func parseOwner(text string) (owner, error) {
	name, group, named := strings.Cut(text, ":")
	uid, err := lookupUser(name)
	if err != nil {
		return owner{}, err
	}
	if !named {
		return owner{uid, -1}, nil
	}
	gid, err := lookupGroup(group)
	if err != nil {
		return owner{}, err
	}
	return owner{uid, gid}, nil
}
