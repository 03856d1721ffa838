package whip

import (
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// checkOffer judges an offer by what the two texts say of it and returns the
// client's ICE credentials. What media it may ask for is the Endpoint's business.
func checkOffer(kind Kind, text string) (credentials, error) {
	bad := func(why string) (credentials, error) {
		return credentials{}, wire.NewError(wire.CodeBadRequest, "the offer is malformed: "+why)
	}
	cannot := func(why string) (credentials, error) {
		return credentials{}, wire.NewError(wire.CodeUnprocessable, why)
	}
	if strings.TrimSpace(text) == "" {
		return bad("the body is empty; send an SDP offer")
	}
	var offer sdp.SessionDescription
	if err := offer.UnmarshalString(text); err != nil {
		return bad("the body is not SDP (RFC 8866)")
	}
	if len(offer.MediaDescriptions) == 0 {
		return bad("it has no media section")
	}
	ice, ok := iceCredentials(&offer)
	if !ok {
		return bad("it lacks a valid ice-ufrag and ice-pwd (RFC 8839)")
	}

	usable, sending := 0, 0
	streams := map[string]bool{}
	for _, m := range offer.MediaDescriptions {
		if !live(m) || m.MediaName.Media == "application" || !flows(kind, direction(&offer, m)) {
			continue
		}
		usable++
		if kind == Publish && m.MediaName.Media == "audio" {
			sending++
			addStreams(streams, m)
		}
	}
	switch {
	case usable == 0 && kind == Publish:
		return cannot("no section of the offer sends media: use sendonly")
	case usable == 0:
		return cannot("no section of the offer receives media: use recvonly")
	case sending > 1:
		// RFC 9725 §4.4.2: what is not supported must be refused whole.
		return cannot("one audio track can be published, the offer has more")
	case len(streams) > 1:
		return cannot("one MediaStream can be published, the offer has more")
	}
	return ice, nil
}

// live tells whether a section is on offer: port 0 means that it is not, except
// in a bundle-only section (RFC 9143 §6).
func live(m *sdp.MediaDescription) bool {
	_, bundled := m.Attribute("bundle-only")
	return bundled || m.MediaName.Port.Value != 0
}

// direction returns the direction attribute that holds for a section; sendrecv
// where there is none (RFC 8866 §6.7).
func direction(s *sdp.SessionDescription, m *sdp.MediaDescription) string {
	for _, attrs := range [][]sdp.Attribute{m.Attributes, s.Attributes} {
		for _, a := range attrs {
			switch a.Key {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				return a.Key
			}
		}
	}
	return "sendrecv"
}

// flows tells whether media can flow the kind's way in a section whose offer has
// this direction (RFC 9725 §4.2; WHEP draft-04, "Media Direction Attributes").
func flows(kind Kind, direction string) bool {
	return direction == "sendrecv" ||
		kind == Publish && direction == "sendonly" ||
		kind == Play && direction == "recvonly"
}

// addStreams notes the MediaStreams of a section (RFC 8830: "-" is none).
func addStreams(streams map[string]bool, m *sdp.MediaDescription) {
	for _, a := range m.Attributes {
		if a.Key != "msid" {
			continue
		}
		if id, _, _ := strings.Cut(a.Value, " "); id != "" && id != "-" {
			streams[id] = true
		}
	}
}

// iceCredentials returns the offer's credentials: of the session, or else of the
// first section that has any, as with "max-bundle" they are all the same.
func iceCredentials(s *sdp.SessionDescription) (credentials, bool) {
	ufrag, hasUfrag := s.Attribute("ice-ufrag")
	pwd, hasPwd := s.Attribute("ice-pwd")
	for _, m := range s.MediaDescriptions {
		if hasUfrag && hasPwd {
			break
		}
		ufrag, hasUfrag = m.Attribute("ice-ufrag")
		pwd, hasPwd = m.Attribute("ice-pwd")
	}
	ice := credentials{ufrag, pwd}
	return ice, ice.valid()
}

// valid tells whether the credentials have the lengths and the characters of
// RFC 8839 §5.4.
func (c credentials) valid() bool {
	return len(c.ufrag) >= 4 && len(c.ufrag) <= 256 && iceChars(c.ufrag) &&
		len(c.pwd) >= 22 && len(c.pwd) <= 256 && iceChars(c.pwd)
}

// iceChars tells whether s has only characters that RFC 8839 §5.1 calls ice-char.
func iceChars(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return s != ""
}

// exclusiveMux adds "rtcp-mux-only" to each section of an answer that has
// "rtcp-mux" and lacks it. Both texts ask it of both sides (RFC 9725 §4.4.1,
// RFC 8858 §3), and no stack that makes the answers here writes it.
func exclusiveMux(answer string) string {
	var out strings.Builder
	mux, only := false, false
	flush := func() {
		if mux && !only {
			out.WriteString("a=rtcp-mux-only\r\n")
		}
		mux, only = false, false
	}
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "m="):
			flush()
		case line == "a=rtcp-mux":
			mux = true
		case line == "a=rtcp-mux-only":
			only = true
		}
		out.WriteString(line + "\r\n")
	}
	flush()
	return out.String()
}
