package whip

import (
	"strings"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// checkOffer checks what RFC 9725 and the WHEP draft say of an offer, and returns
// the client's ICE credentials. What media it may ask for is the Endpoint's
// business.
func checkOffer(kind Kind, text string) (sdp.Credentials, error) {
	bad := func(why string) (sdp.Credentials, error) {
		return sdp.Credentials{}, wire.NewError(wire.CodeBadRequest, "the offer is malformed: "+why)
	}
	cannot := func(why string) (sdp.Credentials, error) {
		return sdp.Credentials{}, wire.NewError(wire.CodeUnprocessable, why)
	}
	if strings.TrimSpace(text) == "" {
		return bad("the body is empty; send an SDP offer")
	}
	offer, err := sdp.Parse(text)
	if err != nil {
		return bad("the body is not SDP with media sections (RFC 8866)")
	}
	ice := offer.ICE()
	if ice.Validate() != nil {
		return bad("it lacks a valid ice-ufrag and ice-pwd (RFC 8839)")
	}

	// The directions are those of RFC 9725, section 4.2, and of WHEP draft-04,
	// "Media Direction Attributes".
	usable, sending := 0, 0
	streams := map[string]bool{}
	for i := range offer.Sections {
		s := &offer.Sections[i]
		if !s.Offered() || s.Media == "application" || !s.Allows(kind.flow()) {
			continue
		}
		usable++
		if kind == Publish && s.Media == "audio" {
			sending++
			for _, id := range s.Streams() {
				streams[id] = true
			}
		}
	}
	switch {
	case usable == 0 && kind == Publish:
		return cannot("no section of the offer sends media: use sendonly")
	case usable == 0:
		return cannot("no section of the offer receives media: use recvonly")
	case sending > 1:
		// RFC 9725, section 4.4.2: what is not supported must be refused whole.
		return cannot("one audio track can be published, the offer has more")
	case len(streams) > 1:
		return cannot("one MediaStream can be published, the offer has more")
	}
	return ice, nil
}

func (k Kind) flow() sdp.Flow {
	if k == Publish {
		return sdp.ClientSends
	}
	return sdp.ClientReceives
}
