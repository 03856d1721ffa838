package store

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// TestClusterBeginsWithWhatASingleServerKept fills a new cluster with the records and the secrets of a single server.
func TestClusterBeginsWithWhatASingleServerKept(t *testing.T) {
	dir := t.TempDir()
	single, err := Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, single.PutRoom(room.State{Config: room.Config{Name: "lobby"}, Created: noon}))
	ada, key, err := single.CreateAccount(t.Context(), "Ada", "", 2, noon)
	require.NoError(t, err)
	ada, err = single.SetPicture(t.Context(), ada.ID, []byte("a picture"))
	require.NoError(t, err)
	_, err = single.PutPlan(t.Context(), planned("friday", ada.ID, noon))
	require.NoError(t, err)
	_, code, err := single.CreateInvite(t.Context(), Invite{Room: "lobby", Role: room.Listener, Uses: 1, Created: noon, Expires: noon.Add(time.Hour)})
	require.NoError(t, err)
	single.Audit(AuditEntry{At: noon, Actor: "operator", Action: "room.create", Room: "lobby"})

	nats := startNATS(t)
	url := nats.url()
	begin := func() (*Store, error) {
		return Open(t.Context(), Config{URL: url, Node: "a", Importing: true, leaseTTL: shortLease})
	}
	a, err := begin()
	require.NoError(t, err)
	other := Config{URL: url, Node: "b", leaseTTL: shortLease}
	_, err = Open(t.Context(), other)
	require.ErrorIs(t, err, ErrImport, "the others wait")
	secrets := map[string]string{"session-key": "the key of the single server"}
	require.ErrorIs(t, a.Import(t.Context(), dir, secrets), ErrBusy, "the single server is running")
	a.EndImport()
	_, err = Open(t.Context(), other)
	require.ErrorIs(t, err, ErrImport, "it has begun")
	require.NoError(t, single.Close())
	require.NoError(t, a.Import(t.Context(), dir, secrets), "it goes on")
	eventually(t, func() bool { _, there := a.Owner("lobby"); return there }, "who imports knows the room, too")

	b := openNode(t, url, "b")
	owner, there := b.Owner("lobby")
	assert.True(t, there)
	assert.Empty(t, owner, "a node claims it")
	_, err = b.Claim(t.Context(), "lobby", "")
	require.NoError(t, err)
	again, err := b.Login(t.Context(), key, noon, anybody)
	require.NoError(t, err)
	assert.Equal(t, ada.Login+1, again.Login)
	picture, err := b.Picture(t.Context(), ada.Picture)
	require.NoError(t, err)
	assert.Equal(t, "a picture", string(picture))
	_, err = b.Plan(t.Context(), "friday")
	require.NoError(t, err)
	invite, err := b.FindInvite(b.InviteID(code))
	require.NoError(t, err)
	assert.Equal(t, Live, invite.Status(noon))
	entries, err := b.AuditLog(t.Context(), "lobby", 10)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, "room.create", entries[0].Action)
	shared, err := b.Secret(t.Context(), "session-key", func() (string, error) { return "another", nil })
	require.NoError(t, err)
	assert.Equal(t, secrets["session-key"], shared, "tokens go on to count")
	require.NoError(t, a.Close())

	a, err = begin()
	require.NoError(t, err, "whoever leaves --import in the command")
	require.NoError(t, a.Import(t.Context(), dir, secrets))
	a.EndImport()
	now, err := a.Account(ada.ID)
	require.NoError(t, err)
	assert.Equal(t, again.Login, now.Login, "nothing is taken back")
	require.NoError(t, a.Close())
}

// TestImportNeedsANewCluster imports into one that has been used, or from where nothing is.
func TestImportNeedsANewCluster(t *testing.T) {
	url := startNATS(t).url()
	a := openNode(t, url, "a")
	_, err := a.Secret(t.Context(), "session-key", func() (string, error) { return "own", nil })
	require.NoError(t, err)
	dir := t.TempDir()
	require.ErrorContains(t, a.Import(t.Context(), dir, nil), "an import needs a new one")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "nothing was touched")
}
