package signaling

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// TestInviteNamesBothPeople looks at an invite that a host made for somebody: the host's
// token has no name, but the room knows who came with it.
func TestInviteNamesBothPeople(t *testing.T) {
	h := closed(t, nil)
	room, token := h.room(`{"name":"Über uns"}`)
	h.as(token).join(room, wire.RoleHost, "Ada")
	made := h.must(http.StatusCreated, http.MethodPost, "/api/rooms/"+room+"/invites", token, `{"role":"speaker","name":"Bo"}`)
	preview := h.must(http.StatusOK, http.MethodGet, "/api/invites/"+made["code"].(string), "", "")
	assert.Equal(t, "Ada", preview["inviter"])
	assert.Equal(t, "Bo", preview["name"])
	assert.Equal(t, "Über uns", preview["room_name"])
}

// TestInviteByOperatorIsNoName tells the operator from people who call themselves that.
func TestInviteByOperatorIsNoName(t *testing.T) {
	h := closed(t, nil)
	room, host := h.room(`{"name":"x"}`)
	h.as(host).join(room, wire.RoleHost, "operator")
	elsewhere, absent := h.room(`{"name":"y"}`)
	toClub, toRoom, toElsewhere := "/api/invites", "/api/rooms/"+room+"/invites", "/api/rooms/"+elsewhere+"/invites"
	for _, c := range []struct {
		sentence, path, token string
		name                  any
		operator              bool
	}{
		{"the operator invites to the club", toClub, operatorToken, nil, true},
		{"the operator invites to a room", toRoom, operatorToken, nil, true},
		{"a member has the operator's kind for a name", toClub, h.member("operator").token, "operator", false},
		{"a member has the page's word for the operator for a name", toClub, h.member("The operator").token, "The operator", false},
		{"a host on stage has that name, and no account", toRoom, host, "operator", false},
		{"a host without a name is not the operator", toElsewhere, absent, nil, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			body := `{"role":"listener"}`
			if c.path == toClub {
				body = `{}`
			}
			made := h.must(http.StatusCreated, http.MethodPost, c.path, c.token, body)
			preview := h.must(http.StatusOK, http.MethodGet, "/api/invites/"+made["code"].(string), "", "")
			assert.Equal(t, c.name, preview["inviter"])
			for where, answer := range map[string]map[string]any{"made": made, "preview": preview} {
				assert.Equal(t, c.operator, answer["by_operator"] == true, where)
			}
		})
	}
}
