package stateserver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/internal/wholefile"
)

// peerFile says whose directory it is.
const peerFile = "peer.json"

// A PeerSet is the addresses of all peers of a cluster, and which of them is this one's. An
// address is the same text for all of them: by it they know one another, and it does not change
// for as long as there is the cluster.
type PeerSet struct {
	Self   string   `json:"self"`
	Others []string `json:"others"`
}

// all are the peers in one order.
func (s PeerSet) all() []string {
	all := append([]string{s.Self}, s.Others...)
	slices.Sort(all)
	return all
}

// name is that of the cluster: servers with other peers are refused.
func (s PeerSet) name() string {
	sum := sha256.Sum256([]byte(strings.Join(s.all(), " ")))
	return "earshot-" + hex.EncodeToString(sum[:8])
}

// keep notes in a directory whose it is, or checks that it is this one's: with the files of
// another, a peer would have a vote that is not its own.
func (s PeerSet) keep(dir string) error {
	path := filepath.Join(dir, peerFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = json.Marshal(s); err == nil {
			err = wholefile.Bytes(path, wholefile.Private, data)
		}
		if err != nil {
			return fmt.Errorf("note whose the data directory is: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read whose the data directory is: %w", err)
	}
	var was PeerSet
	if err := json.Unmarshal(data, &was); err != nil {
		return fmt.Errorf("%s says not whose directory it is: %w; start with an empty one, and the other nodes fill it", path, err)
	}
	if was.Self != s.Self || !slices.Equal(was.all(), s.all()) {
		return fmt.Errorf("the data directory %s is that of node %s of %s, and not of node %s of %s: the addresses of a cluster can't be changed; "+
			"give this node its own directory, or an empty one, which the other nodes fill", dir, was.Self, strings.Join(was.all(), ", "), s.Self, strings.Join(s.all(), ", "))
	}
	return nil
}
