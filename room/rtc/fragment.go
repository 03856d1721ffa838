package rtc

import (
	"fmt"
	"strings"

	"github.com/pion/ice/v4"
)

// maxFragment bounds a trickle-ICE fragment, in bytes.
const maxFragment = 16 << 10

// checkFragment reads a trickle-ICE fragment (RFC 8840 section 9) of a client
// whose user name fragment and password are given. Its candidates are checked
// and then forgotten: an ICE-lite side sends no checks, and learns the client's
// addresses from those that come in.
func checkFragment(fragment, ufrag, pwd string) error {
	if len(fragment) > maxFragment {
		return fmt.Errorf("%w: it is longer than %d bytes", ErrBadFragment, maxFragment)
	}
	for i, text := range strings.Split(fragment, "\n") {
		text = strings.TrimSuffix(text, "\r")
		if text == "" {
			continue
		}
		if len(text) < 2 || text[1] != '=' {
			return fmt.Errorf("%w: line %d is not of the form x=…", ErrBadFragment, i+1)
		}
		key, value, _ := strings.Cut(text[2:], ":")
		switch {
		case text[0] != 'a':
			continue
		case key == "ice-ufrag" && value != ufrag, key == "ice-pwd" && value != pwd:
			return ErrRestart
		case key == "candidate":
			if err := checkCandidate(value); err != nil {
				return fmt.Errorf("%w: line %d: %w", ErrBadFragment, i+1, err)
			}
		}
	}
	return nil
}

// checkCandidate checks the outline of a candidate (RFC 8839 section 5.1). Kinds
// and transports that are not known are no error, nor are mDNS names.
func checkCandidate(value string) error {
	fields := strings.Fields(value)
	if len(fields) < 8 || fields[6] != "typ" {
		return fmt.Errorf("candidate %q is not complete", value)
	}
	if _, err := ice.UnmarshalCandidate(value); err != nil && strings.EqualFold(fields[2], "udp") && fields[7] == "host" {
		return fmt.Errorf("candidate %q: %w", value, err)
	}
	return nil
}
