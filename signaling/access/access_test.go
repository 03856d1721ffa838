package access

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestAdmitRole(t *testing.T) {
	host := auth.Principal{Room: "a", Role: wire.RoleHost, TokenFamily: "p"}
	speaker := auth.Principal{Room: "a", Role: wire.RoleSpeaker, TokenFamily: "q"}
	for name, row := range map[string]struct {
		open bool
		who  auth.Principal
		room string
		want wire.Role
		role wire.Role
		code wire.Code
	}{
		"a host token gives its role if none is asked":    {who: host, room: "a", role: wire.RoleHost},
		"a host token gives a lesser role":                {who: host, room: "a", want: wire.RoleListener, role: wire.RoleListener},
		"a speaker token gives no higher role":            {who: speaker, room: "a", want: wire.RoleHost, code: wire.CodeForbidden},
		"a token for another room makes a listener":       {who: host, room: "b", role: wire.RoleListener},
		"a token for another room gives no role there":    {who: host, room: "b", want: wire.RoleSpeaker, code: wire.CodeNotFound},
		"a member's token makes a listener":               {who: auth.Principal{Account: "x", Member: true, TokenFamily: "r"}, room: "a", role: wire.RoleListener},
		"a grant of nothing finds nothing":                {room: "a", code: wire.CodeNotFound},
		"the operator may be anything":                    {who: auth.Principal{Operator: true}, room: "a", want: wire.RoleHost, role: wire.RoleHost},
		"the operator is a listener by default":           {who: auth.Principal{Operator: true}, room: "a", role: wire.RoleListener},
		"an open server gives what is asked":              {open: true, room: "a", want: wire.RoleHost, role: wire.RoleHost},
		"an open server makes listeners by default":       {open: true, room: "a", role: wire.RoleListener},
		"a host token on an open server is for a host":    {open: true, who: host, room: "a", role: wire.RoleHost},
		"a host token opens nothing less on other rooms":  {open: true, who: host, room: "b", role: wire.RoleListener},
		"an open server does not hold a token's role low": {open: true, who: speaker, room: "a", want: wire.RoleHost, role: wire.RoleHost},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := (&Policy{Open: row.open}).role(row.who, row.room, row.want)
			if row.code != "" {
				assert.ErrorIs(t, err, wire.Error{Code: row.code})
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.role, got)
		})
	}
}
