//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// overflowID is the user and group that stand for nobody where they have no name (/proc/sys/kernel/overflowuid).
const overflowID = 65534

// whom finds the user to become.
func whom(name string) (Report, error) {
	if me := os.Geteuid(); me != 0 {
		r := Report{User: strconv.Itoa(me), UID: me, GID: os.Getegid()}
		if u, err := user.LookupId(r.User); err == nil {
			r.User = u.Username
		}
		if name != "" && name != r.User && name != strconv.Itoa(me) {
			return Report{}, fmt.Errorf("become user %s: only root can: this process is user %s", name, r.User)
		}
		return r, nil
	}
	if name == "" {
		name = Nobody
	}
	u, err := lookup(name)
	if err != nil {
		return Report{}, err
	}
	if u.UID == 0 || u.GID == 0 {
		return Report{}, fmt.Errorf("become user %s: that is user %d, group %d, which is root: take an ordinary user", name, u.UID, u.GID)
	}
	return u, nil
}

func lookup(name string) (Report, error) {
	u, err := user.Lookup(name)
	if err != nil {
		u2, err2 := user.LookupId(name)
		if err2 == nil {
			u, err = u2, nil
		}
	}
	if err == nil {
		uid, err := strconv.ParseUint(u.Uid, 10, 31)
		if err != nil {
			return Report{}, fmt.Errorf("user %s: number %q: %w", name, u.Uid, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 31)
		if err != nil {
			return Report{}, fmt.Errorf("user %s: group %q: %w", name, u.Gid, err)
		}
		return Report{User: u.Username, UID: int(uid), GID: int(gid)}, nil
	}
	// A number without a name is a user of its own group.
	if n, e := strconv.ParseUint(name, 10, 31); e == nil {
		return Report{User: name, UID: int(n), GID: int(n)}, nil
	}
	if name == Nobody {
		return Report{User: name, UID: overflowID, GID: overflowID}, nil
	}
	return Report{}, fmt.Errorf("become user %s: %w: name one of /etc/passwd, or a number", name, err)
}
