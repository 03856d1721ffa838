package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestServeStoreOfV010 serves the data directory of a killed v0.1.0, see
// store/testdata/write-old: the same tokens, keys, rooms, bans and audit trail.
func TestServeStoreOfV010(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", filepath.Join("..", "..", "store", "testdata", "v0.1.0.tar.gz"), "-C", dir).CombinedOutput(); err != nil {
		t.Skipf("this machine has no tar that unpacks: %v: %s", err, out)
	}
	var was struct {
		Operator, Room, Ended string
		Ada, Mal              struct{ Account, Key string }
	}
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &was))

	url, stop := served(t, "--data", dir)
	defer func() { assert.Zero(t, stop()) }()
	status, body := get(t, http.MethodGet, url+"/api/rooms", was.Operator, "")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "The Lobby")
	assert.Contains(t, body, "Hers")
	status, _ = get(t, http.MethodGet, url+"/api/rooms/"+was.Ended, was.Operator, "")
	assert.Equal(t, http.StatusNotFound, status)
	status, _ = get(t, http.MethodGet, url+"/api/rooms/"+was.Room+"/audit", was.Operator, "")
	assert.Equal(t, http.StatusOK, status)

	status, body = get(t, http.MethodPost, url+"/api/login", "", `{"key": "`+was.Ada.Key+`"}`)
	require.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, was.Ada.Account)

	// Mal was banned there: an invite of today does not let the account in.
	status, body = get(t, http.MethodPost, url+"/api/login", "", `{"key": "`+was.Mal.Key+`"}`)
	require.Equal(t, http.StatusOK, status)
	var mal struct{ Token string }
	require.NoError(t, json.Unmarshal([]byte(body), &mal))
	status, body = get(t, http.MethodPost, url+"/api/rooms/"+was.Room+"/invites", was.Operator, `{"role": "listener"}`)
	require.Equal(t, http.StatusCreated, status)
	var invite struct{ Code string }
	require.NoError(t, json.Unmarshal([]byte(body), &invite))
	status, body = get(t, http.MethodPost, url+"/api/invites/"+invite.Code+"/redeem", mal.Token, `{"name": "Mal"}`)
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, json.Unmarshal([]byte(body), &mal))
	status, body = get(t, http.MethodGet, url+"/api/rooms/"+was.Room, mal.Token, "")
	assert.Equal(t, http.StatusForbidden, status, body)
	status, body = get(t, http.MethodGet, url+"/api/rooms/"+was.Room, was.Operator, "")
	assert.Equal(t, http.StatusOK, status, body)
	status, _ = get(t, http.MethodGet, url+"/readyz", "", "")
	assert.Equal(t, http.StatusOK, status)
}
