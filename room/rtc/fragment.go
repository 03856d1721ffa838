package rtc

import (
	"fmt"
	"strings"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// checkFragment reads a trickle-ICE fragment of a client with these credentials.
// An empty one is no error. Its candidates are checked and then forgotten: an
// ICE-lite side sends no checks, and learns the client's addresses from those
// that come in.
func checkFragment(text string, remote sdp.Credentials) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	f, err := sdp.ParseFragment(text)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBadFragment, err)
	case f.ICE != (sdp.Credentials{}) && f.ICE != remote:
		return ErrRestart
	}
	return nil
}
