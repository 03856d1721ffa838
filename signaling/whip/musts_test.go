package whip

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// must is one requirement on a server: the words of the text, and what holds it.
type must struct {
	id    string // as docs/whip-whep.md names it
	words string
	check func(*testing.T, testHandler)
}

// otherFragment is goodFragment with other credentials.
var otherFragment = strings.NewReplacer(testUfrag, "ysXw", testPwd, "vw5LmwG4y/e6dPP/zAP9Gp5k").Replace(goodFragment)

// sharedMusts are the requirements that stand in both texts, with "WHIP client"
// or "WHEP player", and are held for both kinds.
func sharedMusts(kind Kind) []must {
	at := "/rooms/lobby/" + kind.String()
	return []must{
		{"get", "endpoints and sessions MUST return a 2xx successful response with no content when a GET request is received",
			func(t *testing.T, g testHandler) {
				location, _ := g.open(t, kind)
				for _, path := range []string{at, location} {
					for _, method := range []string{"GET", "HEAD"} {
						got := g.do(method, path, "")
						assert.Contains(t, []int{200, 204}, got.status, path)
						assert.Empty(t, got.body)
					}
				}
			}},
		{"created", `return a "201 Created" response with a content type of "application/sdp", the SDP answer as the body, and a Location header field pointing to the newly created session`,
			func(t *testing.T, g testHandler) {
				got := g.do("POST", at, goodOffer(kind), asSDP)
				require.Equal(t, 201, got.status, got.body)
				assert.Equal(t, "application/sdp", got.header.Get("Content-Type"))
				assert.True(t, strings.HasPrefix(got.body, testAnswer), got.body)
				location := got.header.Get("Location")
				assert.True(t, location == at+"/id.1", location)
				assert.Equal(t, goodOffer(kind), g.only(t).offer, "the offer is handed on as it came")
				assert.Equal(t, 200, g.do("DELETE", location, "").status, "the Location is the session's")
			}},
		{"post-type", `If the HTTP POST has a content type different than "application/sdp" [...] MUST reject with an appropriate 4xx error response`,
			func(t *testing.T, g testHandler) {
				for _, as := range []string{"", "text/plain", "application/json", "application/trickle-ice-sdpfrag", "application/sdpx", ";"} {
					got := g.do("POST", at, goodOffer(kind), "Content-Type: "+as)
					refused(t, got, wire.CodeUnsupportedMediaType)
					assert.Equal(t, "application/sdp", got.header.Get("Accept-Post"))
				}
				refused(t, g.do("POST", at, goodOffer(kind), asSDP, "Content-Encoding: gzip"), wire.CodeUnsupportedMediaType)
				assert.Zero(t, g.count())
				assert.Equal(t, 201, g.do("POST", at, goodOffer(kind), "Content-Type: Application/SDP; charset=utf-8").status)
			}},
		{"post-malformed", "or the SDP is malformed, the endpoint MUST reject the HTTP POST request with an appropriate 4xx error response",
			func(t *testing.T, g testHandler) {
				for _, text := range []string{"", "  \r\n", "hello", "v=0\r\n", offerOf(), "{}",
					strings.ReplaceAll(goodOffer(kind), "a=ice-pwd:"+testPwd+"\r\n", ""),
					strings.ReplaceAll(goodOffer(kind), "a=ice-ufrag:"+testUfrag, "a=ice-ufrag:a b")} {
					refused(t, g.do("POST", at, text, asSDP), wire.CodeBadRequest)
				}
				assert.Zero(t, g.count())
			}},
		{"delete", "Upon receiving the HTTP DELETE request, the session will be removed and the resources freed",
			func(t *testing.T, g testHandler) {
				location, _ := g.open(t, kind)
				got := g.do("DELETE", location, "")
				assert.Equal(t, 200, got.status)
				assert.Empty(t, got.body)
				assert.Zero(t, g.count())
				refused(t, g.do("DELETE", location, ""), wire.CodeNotFound)
			}},
		{"options", "endpoints MUST support OPTIONS requests for Cross-Origin Resource Sharing (CORS)",
			func(t *testing.T, g testHandler) {
				location, _ := g.open(t, kind)
				for path, methods := range map[string]string{at: "POST", location: "PATCH"} {
					got := g.do("OPTIONS", path, "", "Origin: https://page.example",
						"Access-Control-Request-Method: "+methods, "Access-Control-Request-Headers: authorization,content-type,if-match")
					assert.Equal(t, 200, got.status)
					assert.Empty(t, got.body)
					assert.Equal(t, "*", got.header.Get("Access-Control-Allow-Origin"))
					assert.Contains(t, got.header.Get("Access-Control-Allow-Methods"), methods)
					for _, name := range []string{"Authorization", "Content-Type", "If-Match"} {
						assert.Contains(t, got.header.Get("Access-Control-Allow-Headers"), name)
					}
					assert.Empty(t, got.header.Values("Link"), "no ICE servers in answer to a preflight")
				}
				got := g.do("POST", at, goodOffer(kind), asSDP, "Origin: https://page.example")
				assert.Equal(t, "*", got.header.Get("Access-Control-Allow-Origin"))
				for _, name := range []string{"Location", "ETag", "Link", "Accept-Patch", "Retry-After"} {
					assert.Contains(t, got.header.Get("Access-Control-Expose-Headers"), name)
				}
			}},
		{"accept-post", `The "200 OK" response to any OPTIONS request SHOULD include an "Accept-Post" header with a media type value of "application/sdp"`,
			func(t *testing.T, g testHandler) {
				got := g.do("OPTIONS", at, "")
				assert.Equal(t, 200, got.status)
				assert.Equal(t, "application/sdp", got.header.Get("Accept-Post"))
			}},
		{"patch-type", `If the HTTP PATCH has a content type different than "application/trickle-ice-sdpfrag" [...] the session MUST reject the HTTP PATCH with an appropriate 4xx error response`,
			func(t *testing.T, g testHandler) {
				location, tag := g.open(t, kind)
				got := g.do("PATCH", location, goodFragment, asSDP, "If-Match: "+tag)
				refused(t, got, wire.CodeUnsupportedMediaType)
				assert.Equal(t, "application/trickle-ice-sdpfrag", got.header.Get("Accept-Patch"))
				refused(t, g.do("PATCH", location, goodFragment, "If-Match: "+tag), wire.CodeUnsupportedMediaType)
				assert.Empty(t, g.only(t).fragments)
			}},
		{"patch-malformed", "or the SDP fragment is malformed, the session MUST reject the HTTP PATCH with an appropriate 4xx error response",
			func(t *testing.T, g testHandler) {
				location, tag := g.open(t, kind)
				for _, text := range []string{"", "candidate:1 1 udp 1 192.0.2.1 1 typ host", "{}",
					strings.Replace(goodFragment, "a=mid:0\r\n", "", 1),
					strings.Replace(goodFragment, "typ host", "host", 1)} {
					refused(t, g.do("PATCH", location, text, asFragment, "If-Match: "+tag), wire.CodeUnprocessable)
				}
				assert.Empty(t, g.only(t).fragments)
			}},
		{"etag", "The initial value of the entity-tag identifying the initial ICE session MUST be returned in an ETag header field in the \"201 Created\" response",
			func(t *testing.T, g testHandler) {
				_, one := g.open(t, kind)
				_, two := g.open(t, kind)
				assert.Regexp(t, `^"[!#-~]+"$`, one, "a strong tag")
				assert.NotEqual(t, one, two, "a unique tag")
			}},
		{"delete-etag", "sessions MUST ignore any entity-tag value sent by the client when ICE session matching is not required, as in the HTTP DELETE request",
			func(t *testing.T, g testHandler) {
				location, _ := g.open(t, kind)
				assert.Equal(t, 200, g.do("DELETE", location, "", `If-Match: "stale"`).status)
				assert.Zero(t, g.count())
			}},
		{"428", `a "428 Precondition Required" response for a missing entity tag`,
			func(t *testing.T, g testHandler) {
				location, _ := g.open(t, kind)
				refused(t, g.do("PATCH", location, goodFragment, asFragment), wire.CodePreconditionRequired)
				assert.Empty(t, g.only(t).fragments)
			}},
		{"412", `a "412 Precondition Failed" response for a non-matching entity tag`,
			func(t *testing.T, g testHandler) {
				location, tag := g.open(t, kind)
				for _, stale := range []string{`"stale"`, "W/" + tag, strings.Trim(tag, `"`), `""`, ""} {
					refused(t, g.do("PATCH", location, goodFragment, asFragment, "If-Match: "+stale), wire.CodePreconditionFailed)
				}
				assert.Empty(t, g.only(t).fragments)
				for _, match := range []string{tag, `"stale", ` + tag, "*"} {
					assert.Equal(t, 204, g.do("PATCH", location, goodFragment, asFragment, "If-Match: "+match).status, match)
				}
			}},
		{"204", `PATCH request that adds new ICE candidates without performing an ICE restart [...] MUST return a "204 No Content" response without a body and MUST NOT include an ETag header`,
			func(t *testing.T, g testHandler) {
				location, tag := g.open(t, kind)
				got := g.do("PATCH", location, goodFragment, asFragment, "If-Match: "+tag)
				assert.Equal(t, 204, got.status)
				assert.Empty(t, got.body)
				assert.NotContains(t, got.header, "Etag")
				assert.Equal(t, []string{goodFragment}, g.only(t).fragments)

				bare := goodFragment[strings.Index(goodFragment, "m="):]
				assert.Equal(t, 204, g.do("PATCH", location, bare, asFragment, "If-Match: "+tag).status,
					"no credentials are no other credentials")
				assert.Equal(t, []string{goodFragment, bare}, g.only(t).fragments)
			}},
		{"discard", "does not support a candidate transport or is not able to resolve the connection address, it MUST silently discard the candidate and continue processing the rest of the request normally",
			func(t *testing.T, g testHandler) {
				location, tag := g.open(t, kind)
				mixed := goodFragment +
					"a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n" +
					"a=candidate:1 1 udp 1 f00ba4-mdns.local 50000 typ host\r\n" +
					"a=candidate:1 2 udp 1 192.0.2.1 50001 typ host\r\n" +
					"a=candidate:2 1 UDP 7 2001:db8::1 50002 typ srflx raddr 192.0.2.1 rport 1\r\n"
				assert.Equal(t, 204, g.do("PATCH", location, mixed, asFragment, "If-Match: "+tag).status)
				assert.Equal(t, []string{goodFragment + "a=candidate:2 1 UDP 7 2001:db8::1 50002 typ srflx raddr 192.0.2.1 rport 1\r\n"},
					g.only(t).fragments)

				nothing := strings.Replace(goodFragment, "udp", "tcp", 1)
				assert.Equal(t, 204, g.do("PATCH", location, nothing, asFragment, "If-Match: "+tag).status)
				assert.Len(t, g.only(t).fragments, 1, "a fragment with nothing left is not handed on")
			}},
		{"rtcp-mux-only", `clients and endpoints MUST include the "rtcp-mux-only" attribute in each bundled "m=" section`,
			func(t *testing.T, g testHandler) {
				got := g.do("POST", at, goodOffer(kind), asSDP)
				assert.Equal(t, 1, strings.Count(got.body, "a=rtcp-mux-only\r\n"), got.body)
			}},
		{"redirect", "status codes 301 and 302 MUST NOT be used",
			func(t *testing.T, g testHandler) {
				for _, path := range []string{"/rooms/lobby//" + kind.String(), "/rooms/./lobby/" + kind.String(), at + "/"} {
					got := g.do("POST", path, goodOffer(kind), asSDP)
					assert.NotContains(t, []int{301, 302}, got.status, path)
					assert.NotEqual(t, 201, got.status, path)
				}
			}},
		{"bearer", "bearer token authentication [...] MUST be supported by all entities",
			func(t *testing.T, g testHandler) {
				g.token = "s3cret"
				got := g.do("POST", at, goodOffer(kind), asSDP)
				refused(t, got, wire.CodeUnauthorized)
				assert.Equal(t, `Bearer realm="earshot"`, got.header.Get("WWW-Authenticate"))
				got = g.do("POST", at, goodOffer(kind), asSDP, "Authorization: Bearer wrong")
				refused(t, got, wire.CodeUnauthorized)
				assert.Equal(t, `Bearer realm="earshot", error="invalid_token"`, got.header.Get("WWW-Authenticate"))

				location, tag := g.open(t, kind, "Authorization: bearer s3cret")
				assert.Equal(t, "s3cret", g.bearer)
				for _, method := range []string{"PATCH", "DELETE", "GET"} {
					refused(t, g.do(method, location, goodFragment, asFragment, "If-Match: "+tag), wire.CodeUnauthorized)
				}
				assert.Equal(t, 204, g.do("PATCH", location, goodFragment, asFragment, "If-Match: "+tag, "Authorization: Bearer s3cret").status)
				assert.Equal(t, 200, g.do("DELETE", location, "", "Authorization: Bearer s3cret").status)
			}},
		{"preflight-auth", "send the HTTP Authorization header field in all HTTP requests [...] except the preflight OPTIONS requests for CORS",
			func(t *testing.T, g testHandler) {
				location, _ := g.open(t, kind)
				g.token = "s3cret"
				for _, path := range []string{at, location} {
					assert.Equal(t, 200, g.do("OPTIONS", path, "").status)
				}
			}},
		{"extensions", "Protocol extensions supported MUST be advertised [...] in the \"201 Created\" response: there are none, so no Link tells of one",
			func(t *testing.T, g testHandler) {
				got := g.do("POST", at, goodOffer(kind), asSDP)
				assert.Empty(t, got.header.Values("Link"))
			}},
		{"ice-servers", `Each STUN/TURN server will be returned using the "Link" header field with a "rel" attribute value of "ice-server"`,
			func(t *testing.T, _ testHandler) {
				g := newTestHandler(t, func(c *Config) {
					c.ICEServers = []ICEServer{{URL: "stun:stun.example.net"},
						{URL: "turn:turn.example.net?transport=udp", Username: "user", Credential: `my"Pass\word`}}
				})
				got := g.do("POST", at, goodOffer(kind), asSDP)
				assert.Equal(t, []string{`<stun:stun.example.net>; rel="ice-server"`,
					`<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="my\"Pass\\word"; credential-type="password"`},
					got.header.Values("Link"))
			}},
	}
}

// restartMusts are those of ICE restarts, for both kinds.
func restartMusts(kind Kind) []must {
	return []must{
		{"restart", `a "200 OK" status code [...] with a body of type "application/trickle-ice-sdpfrag" containing the new ICE username fragment and password [...] and the new entity-tag in an ETag header field`,
			func(t *testing.T, g testHandler) {
				for _, match := range []string{"*", `"*"`, ""} {
					location, tag := g.open(t, kind)
					if match == "" {
						match = tag
					}
					got := g.do("PATCH", location, otherFragment, asFragment, "If-Match: "+match)
					require.Equal(t, 200, got.status, got.body)
					assert.Equal(t, "application/trickle-ice-sdpfrag", got.header.Get("Content-Type"))
					assert.Equal(t, testRestarted, got.body)
					next := got.header.Get("ETag")
					assert.Regexp(t, `^"[!#-~]+"$`, next)
					assert.NotEqual(t, tag, next, "another ICE session has another tag")
					refused(t, g.do("PATCH", location, otherFragment, asFragment, "If-Match: "+tag), wire.CodePreconditionFailed)
					assert.Equal(t, 204, g.do("PATCH", location, otherFragment, asFragment, "If-Match: "+next).status, "candidates of the new session")
				}
				assert.Equal(t, 3, g.count(), "no further sessions")
			}},
		{"restart-refused", "If the ICE restart request cannot be satisfied [...] MUST NOT terminate the session immediately and keep the existing ICE session",
			func(t *testing.T, g testHandler) {
				location, tag := g.open(t, kind)
				s := g.only(t)
				s.fail = wire.NewError(wire.CodeUnprocessable, "")
				refused(t, g.do("PATCH", location, otherFragment, asFragment, "If-Match: *"), wire.CodeUnprocessable)
				s.fail = nil
				assert.Empty(t, s.fragments, "the candidates of the other ICE session are not taken")
				assert.Equal(t, 204, g.do("PATCH", location, goodFragment, asFragment, "If-Match: "+tag).status)
				assert.Len(t, s.fragments, 1)
			}},
	}
}

func whipMusts() []must {
	at := "/rooms/lobby/whip"
	return []must{
		{"direction", `"inactive" and "recvonly" attributes MUST NOT be used [in the offer]`,
			func(t *testing.T, g testHandler) {
				for _, direction := range []string{"inactive", "recvonly"} {
					refused(t, g.do("POST", at, offerOf(section("audio", "0", direction)), asSDP), wire.CodeUnprocessable)
				}
				for _, direction := range []string{"sendonly", "sendrecv", ""} {
					assert.Equal(t, 201, g.do("POST", at, offerOf(section("audio", "0", direction)), asSDP).status, direction)
				}
			}},
		{"one-stream", `if the number of audio and or video MediaStreamTracks or number of MediaStreams are not supported by the WHIP endpoint, it MUST reject the HTTP POST request with an "422 Unprocessable Content" or "400 Bad Request" error response`,
			func(t *testing.T, g testHandler) {
				two := offerOf(section("audio", "0", "sendonly", "a=msid:s t"), section("audio", "1", "sendonly", "a=msid:s u"))
				refused(t, g.do("POST", at, two, asSDP), wire.CodeUnprocessable)
				streams := offerOf(section("audio", "0", "sendonly", "a=msid:s t", "a=msid:z t"))
				refused(t, g.do("POST", at, streams, asSDP), wire.CodeUnprocessable)
				idle := offerOf(section("audio", "0", "sendonly", "a=msid:- t"), section("audio", "1", "inactive"))
				assert.Equal(t, 201, g.do("POST", at, idle, asSDP).status)
			}},
		{"busy", `In case of high load [...] "503 Service Unavailable" [...] Retry-After header field`,
			func(t *testing.T, g testHandler) {
				g.fail = wire.NewError(wire.CodeUnavailable, "")
				got := g.do("POST", at, goodOffer(Publish), asSDP)
				refused(t, got, wire.CodeUnavailable)
				assert.Equal(t, "2", got.header.Get("Retry-After"))
			}},
	}
}

func whepMusts() []must {
	at := "/rooms/lobby/whep"
	return []must{
		{"direction", `The "inactive" and "sendonly" attributes MUST NOT be used [in the offer]`,
			func(t *testing.T, g testHandler) {
				for _, direction := range []string{"inactive", "sendonly"} {
					refused(t, g.do("POST", at, offerOf(section("audio", "0", direction)), asSDP), wire.CodeUnprocessable)
				}
				for _, direction := range []string{"recvonly", "sendrecv", ""} {
					assert.Equal(t, 201, g.do("POST", at, offerOf(section("audio", "0", direction)), asSDP).status, direction)
				}
			}},
		{"head", `When a WHEP endpoint receives a HEAD request, it SHOULD respond with a "200 OK" status code and include a Content-Type header field with the value application/sdp`,
			func(t *testing.T, g testHandler) {
				got := g.do("HEAD", at, "")
				assert.Equal(t, 200, got.status)
				assert.Equal(t, "application/sdp", got.header.Get("Content-Type"))
				assert.Empty(t, got.body)
				assert.Empty(t, g.do("HEAD", "/rooms/lobby/whip", "").header.Get("Content-Type"),
					"a WHIP endpoint must not look like one for players")
			}},
		{"head-as-get", "The HEAD response MUST include the same headers that would be returned in response to a GET request",
			func(t *testing.T, g testHandler) {
				assert.Equal(t, g.do("GET", at, "").header, g.do("HEAD", at, "").header)
			}},
		{"no-counter-offer", `the WHEP endpoint can choose to either accept the client's offer or reject it in favor of sending its own: "406 Not Acceptable" would be read as a counter-offer and is never sent`,
			func(t *testing.T, g testHandler) {
				for _, accept := range []string{"application/json", "text/html", "application/sdp;q=0"} {
					assert.Equal(t, 201, g.do("POST", at, goodOffer(Play), asSDP, "Accept: "+accept).status)
				}
				refused(t, g.do("POST", at, "", asSDP), wire.CodeBadRequest)
			}},
		{"conflict", `"409 Conflict" response with a "Retry-After" header indicating the number of seconds before sending a new request`,
			func(t *testing.T, g testHandler) {
				g.fail = later{wire.NewError(wire.CodeConflict, "nobody speaks yet"), 1500}
				got := g.do("POST", at, goodOffer(Play), asSDP)
				refused(t, got, wire.CodeConflict)
				assert.Equal(t, "2", got.header.Get("Retry-After"), "in whole seconds, rounded up")
			}},
	}
}

func TestRFC9725(t *testing.T) {
	holdMusts(t, slices.Concat(sharedMusts(Publish), restartMusts(Publish), whipMusts()))
}

func TestWHEPDraft04(t *testing.T) {
	holdMusts(t, slices.Concat(sharedMusts(Play), restartMusts(Play), whepMusts()))
}

func holdMusts(t *testing.T, rows []must) {
	for _, row := range rows {
		t.Run(row.id+": "+row.words, func(t *testing.T) { row.check(t, newTestHandler(t)) })
	}
}
