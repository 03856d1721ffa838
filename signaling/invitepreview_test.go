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
