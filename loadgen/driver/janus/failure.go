package janus

import (
	"fmt"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// The codes of errors of Janus and of its AudioBridge of which the driver knows what to do.
const (
	unauthorized       = 403
	pluginUnauthorized = 405
	sessionUnknown     = 458
	pluginUnknown      = 460
	noMoreSessions     = 472

	elementMissing     = 483
	elementInvalid     = 484
	roomUnknown        = 485
	bridgeUnauthorized = 489
	userUnknown        = 492
)

// A failure is the server's answer that it does not do what it was asked for.
type failure struct {
	bridge bool // it is the AudioBridge's
	code   int
	reason string
	asked  string // what it was asked for
}

// Error implements error.
func (f failure) Error() string {
	who := "Janus"
	if f.bridge {
		who = "the AudioBridge"
	}
	text := fmt.Sprintf("%s: %s answered %d: %s", f.asked, who, f.code, driver.Beginning(f.reason))
	if hint := f.hint(); hint != "" {
		text += ": " + hint
	}
	return text
}

// Unwrap has [driver.Refused] know that the server said no.
func (f failure) Unwrap() error { return driver.Declined(f.reason) }

// hint says what to do about it, or "".
func (f failure) hint() string {
	if f.bridge {
		return f.bridgeHint()
	}
	switch f.code {
	case unauthorized:
		return "give its api_secret with --" + secretFlag + ", or with --token one of its tokens, if it has token_auth"
	case pluginUnauthorized:
		return "the token of --token does not allow the AudioBridge"
	case sessionUnknown:
		return "the session is over: is its session_timeout shorter than a generator may be held up, or was the server restarted"
	case pluginUnknown:
		return "is libjanus_audiobridge.so in its plugins folder, and not disabled in janus.jcfg"
	case noMoreSessions:
		return "it takes no more sessions, as its admin API has told it"
	}
	return ""
}

func (f failure) bridgeHint() string {
	switch f.code {
	case bridgeUnauthorized, elementMissing:
		return f.keyHint()
	case roomUnknown:
		return "the room has ended, or was never there"
	case userUnknown:
		return "they have left, or their connection was lost"
	}
	return ""
}

// keyHint says which key is wrong or missing: the AudioBridge names it.
func (f failure) keyHint() string {
	switch {
	case strings.Contains(f.reason, "admin_key"):
		return "only who has the plugin's admin_key may create rooms: give it with --" + adminFlag + ", or a room that is there with --" + roomFlag
	case strings.Contains(f.reason, "pin"):
		return "the room has a PIN: give it with --" + pinFlag
	case strings.Contains(f.reason, "secret"):
		return "the room has a secret: give it with --" + roomSecretFlag
	}
	return ""
}
