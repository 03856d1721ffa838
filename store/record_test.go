package store

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// The files are records as v0.1.0 wrote them. Data directories hold such ones,
// so the names of their fields must not change, whatever the Go fields are
// called.
func TestRecordsKeepTheirFieldNames(t *testing.T) {
	for name, record := range map[string]any{"room.json": &room.State{}, "audit.json": &AuditEntry{}} {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", name))
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(want, record))
			got, err := json.Marshal(record)
			require.NoError(t, err)
			assert.JSONEq(t, string(want), string(got))
		})
	}
}
