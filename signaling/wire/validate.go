package wire

import (
	"fmt"
	"slices"
)

// ValidRoom reports whether id can name a room: 1 to [MaxRoom] of A–Z a–z 0–9
// '.', '_' and '-', and not only dots (those mean something in a URL's path).
func ValidRoom(id string) bool {
	if id == "" || len(id) > MaxRoom {
		return false
	}
	dots := 0
	for _, c := range []byte(id) {
		switch {
		case c == '.':
			dots++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return dots < len(id)
}

// FieldError refuses the value of a field in a message or a request.
func FieldError(field, format string, args ...any) error {
	return NewError(CodeBadRequest, fmt.Sprintf("%q %s", field, fmt.Sprintf(format, args...)))
}

// checkWord is for ids and tokens: short, printable ASCII without spaces.
func checkWord(field, value string, limit int, required bool) error {
	switch {
	case value == "" && required:
		return FieldError(field, "is missing")
	case len(value) > limit:
		return FieldError(field, "is longer than %d bytes", limit)
	}
	for _, c := range []byte(value) {
		if c <= ' ' || c > '~' {
			return FieldError(field, "may hold only printable ASCII without spaces")
		}
	}
	return nil
}

// checkName is for names that people choose.
func checkName(name string) error {
	if !ValidName(name) {
		return FieldError("name", "%s", NameProblem)
	}
	return nil
}

// checkShown is for names that a server shows: an earlier one was less strict.
func checkShown(name string) error {
	if !readable(name, MaxName) {
		return FieldError("name", "%s", NameProblem)
	}
	return nil
}

func checkRoom(room string) error {
	if room == "" {
		return FieldError("room", "is missing")
	}
	if !ValidRoom(room) {
		return FieldError("room", "must be 1 to %d of A-Z a-z 0-9 . _ - and not only dots", MaxRoom)
	}
	return nil
}

func checkRole(role Role, allowed ...Role) error { return checkChoice("role", role, allowed...) }

func checkChoice[S ~string](field string, value S, allowed ...S) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return FieldError(field, "must be one of %q", nonEmpty(allowed))
}

func nonEmpty[S ~string](values []S) []S {
	return slices.DeleteFunc(slices.Clone(values), func(v S) bool { return v == "" })
}

func checkMedia(media Media) error {
	if media != MediaEar && media != MediaMic {
		return FieldError("media", "must be %q or %q", MediaEar, MediaMic)
	}
	return nil
}

func checkSDP(field, sdp string) error {
	switch {
	case sdp == "":
		return FieldError(field, "is missing")
	case len(sdp) > MaxSDP:
		return FieldError(field, "is longer than %d bytes", MaxSDP)
	}
	for _, c := range []byte(sdp) {
		if (c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7f {
			return FieldError(field, "holds a control character")
		}
	}
	return nil
}

func checkText(field, text string) error {
	if len(text) > MaxText {
		return FieldError(field, "is longer than %d bytes", MaxText)
	}
	return nil
}

func checkCount(field string, n int) error {
	if n < 0 {
		return FieldError(field, "is negative")
	}
	return nil
}

// first returns the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (m Hello) validate() error {
	if m.Version != Version {
		return NewError(CodeUnsupportedVersion,
			fmt.Sprintf("protocol version %d is not supported; this side speaks version %d", m.Version, Version))
	}
	return first(checkWord("token", m.Token, MaxToken, false), checkName(m.Name))
}

func (m Join) validate() error {
	return first(checkRoom(m.Room),
		checkRole(m.Role, "", RoleListener, RoleSpeaker, RoleHost), checkName(m.Name))
}

// validate checks the fields; the SDP itself is not parsed.
func (m Offer) validate() error {
	if m.Node != "" && m.Media != MediaEar {
		return NewError(CodeBadRequest, `"node" is for ears: a mic is on its room's server`)
	}
	return first(checkMedia(m.Media), checkSDP("sdp", m.SDP), checkWord("node", m.Node, MaxNode, false))
}

// validate checks the fields; the fragment itself is not parsed.
func (m RestartICE) validate() error {
	return first(checkMedia(m.Media), checkSDP("fragment", m.Fragment))
}

func (m Hangup) validate() error {
	return checkMedia(m.Media)
}

func (m Mute) validate() error {
	return checkWord("member", m.Member, MaxMember, false)
}

func (m Promote) validate() error {
	return first(checkWord("member", m.Member, MaxMember, true),
		checkRole(m.Role, "", RoleSpeaker, RoleHost))
}

func (m Demote) validate() error {
	return checkWord("member", m.Member, MaxMember, false)
}

func (m Remove) validate() error {
	return checkWord("member", m.Member, MaxMember, true)
}

func (m LowerHand) validate() error {
	return checkWord("member", m.Member, MaxMember, false)
}

func (m Welcome) validate() error {
	return first(checkWord("session", m.Session, MaxID, true),
		checkCount("version", m.Version), checkText("server", m.Server))
}

func (m StageMember) validate() error {
	return first(checkWord("member", m.Member, MaxMember, true), checkShown(m.Name),
		checkRole(m.Role, RoleListener, RoleSpeaker, RoleHost),
		checkWord("profile", m.Profile, MaxID, false), checkWord("picture", m.Picture, MaxID, false))
}

func checkHands(hands []Hand, count int) error {
	if len(hands) > MaxHands {
		return FieldError("hands", "lists more than %d", MaxHands)
	}
	for _, hand := range hands {
		if err := first(checkWord("member", hand.Member, MaxMember, true), checkShown(hand.Name)); err != nil {
			return err
		}
	}
	return checkCount("hand_count", count)
}

func (m Joined) validate() error {
	for _, member := range m.Stage {
		if err := member.validate(); err != nil {
			return err
		}
	}
	return first(checkRoom(m.Room), checkWord("member", m.Member, MaxMember, true),
		checkRole(m.Role, RoleListener, RoleSpeaker, RoleHost), checkCount("slots", m.Slots), checkCount("hall", m.Hall),
		checkCount("audience", m.Audience), checkCount("total", m.Total), checkHands(m.Hands, m.HandCount),
		m.Rules.validate(), m.Resume.validate())
}

// validate checks the fields; the SDP itself is not parsed.
func (m Answer) validate() error {
	return first(checkMedia(m.Media), checkSDP("sdp", m.SDP))
}

func (m ICERestarted) validate() error {
	return first(checkMedia(m.Media), checkSDP("fragment", m.Fragment))
}

func (m Presence) validate() error {
	for _, member := range m.Applause {
		if err := checkWord("applause", member, MaxMember, true); err != nil {
			return err
		}
	}
	for _, change := range m.StageChanges {
		if err := change.validate(); err != nil {
			return err
		}
	}
	if m.Rules != nil {
		if err := m.Rules.validate(); err != nil {
			return err
		}
	}
	return first(checkCount("audience", m.Audience), checkCount("total", m.Total), checkHands(m.Hands, m.HandCount))
}

func (m RoleChanged) validate() error {
	return first(checkRole(m.Role, RoleListener, RoleSpeaker, RoleHost), checkWord("by", m.By, MaxMember, false))
}

func (m Muted) validate() error { return checkWord("by", m.By, MaxMember, false) }

// validate checks the fields. A reason this package does not know is accepted:
// a newer server may have more.
func (m MediaClosed) validate() error {
	return first(checkMedia(m.Media), checkWord("reason", string(m.Reason), MaxID, true))
}

func (m MediaMoving) validate() error { return checkMedia(m.Media) }

// validate checks the fields. A code this package does not know is accepted: a
// newer server may have more.
func (e Error) validate() error {
	return first(checkWord("code", string(e.Code), MaxID, true),
		checkText("message", e.Message))
}

// validate checks the fields. A reason this package does not know is accepted:
// a newer server may have more.
func (m Goodbye) validate() error { return checkWord("reason", string(m.Reason), MaxID, true) }
