package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// samples has one message of each type, every field filled.
func samples() []wire.Message {
	ada := wire.StageMember{Member: "m1", Name: "Ada", Role: wire.RoleHost, Talker: 1, Muted: true, Away: true}
	yes, none := true, 0
	rules := wire.Rules{Hands: wire.HandsOff, SelfUnmute: true, Visibility: wire.VisibleClosed, AudienceHold: 40}
	ticket := wire.Ticket{Key: "k", WindowS: 20}
	return []wire.Message{
		wire.Hello{ID: "1", Version: wire.Version, Token: "a.b.c", Name: "Zoë"},
		wire.Join{ID: "2", Room: "lobby", Role: wire.RoleSpeaker, Name: "Zoë"},
		wire.Offer{ID: "3", Media: wire.MediaEar, SDP: "v=0\r\n<&>"},
		wire.Hangup{ID: "4", Media: wire.MediaMic},
		wire.RestartICE{ID: "21", Media: wire.MediaEar, Fragment: "a=ice-ufrag:abcd\r\n"},
		wire.Leave{ID: "5"},
		wire.Mute{ID: "6", Member: "m2", Muted: true},
		wire.Promote{ID: "7", Member: "m2", Role: wire.RoleHost},
		wire.Demote{ID: "8", Member: "m2"},
		wire.Remove{ID: "9", Member: "m2"},
		wire.RaiseHand{ID: "10"},
		wire.Applaud{ID: "10"},
		wire.LowerHand{ID: "11", Member: "m2"},
		wire.End{ID: "12"},
		wire.Resume{ID: "13", Room: "lobby", Member: "m2", Key: "k", Rev: 3},
		wire.SetRules{ID: "14", Hands: wire.HandsInvited, SelfUnmute: &yes, Visibility: wire.VisibleMembers, AudienceHold: &none},
		wire.InviteToStage{ID: "15", Member: "m2", Role: wire.RoleSpeaker},
		wire.AcceptStage{ID: "16"},
		wire.DeclineStage{ID: "17", Member: "m2"},
		wire.PassHost{ID: "18", Member: "m2"},
		wire.Ban{ID: "19", Member: "m2"},
		wire.Unban{ID: "20", Member: "m2"},
		wire.ListAudience{ID: "21", Search: "bo", From: 7},
		wire.ListAudience{ID: "22", Followed: true},
		wire.Welcome{ID: "1", Session: "s1", Version: 1, Server: "earshot/dev"},
		wire.Joined{ID: "2", Room: "lobby", Member: "m2", Role: wire.RoleSpeaker, Talker: 2, Slots: 3, Hall: 1, Audience: 7, Total: 9,
			Stage: []wire.StageMember{ada}, Talkers: []uint32{1}, Hands: []wire.Hand{{Member: "m3", Name: "Bo"}}, HandCount: 1,
			Rev: 4, Rules: rules, Resume: ticket},
		wire.Answer{ID: "3", Media: wire.MediaMic, SDP: "v=0\r\n"},
		wire.ICERestarted{ID: "21", Media: wire.MediaEar, Fragment: "a=ice-ufrag:efgh\r\n"},
		wire.OK{ID: "4"},
		wire.Presence{Audience: 8, Total: 9, Rev: 5, StageChanges: []wire.StageChange{{StageMember: ada, Gone: true}},
			Hands: []wire.Hand{{Member: "m3", Name: "Bo"}}, HandCount: 1, Rules: &rules},
		wire.Talkers{Talkers: []uint32{1, 2}},
		wire.RoleChanged{Role: wire.RoleSpeaker, By: "m1"},
		wire.Muted{Muted: true, MayUnmute: true, By: "m1"},
		wire.MediaClosed{Media: wire.MediaMic, Reason: wire.CloseDemoted},
		wire.MediaMoving{Media: wire.MediaEar},
		wire.Error{ID: "9", Code: wire.CodeForbidden, Message: "not allowed"},
		wire.Goodbye{Reason: wire.GoodbyeRemoved},
		wire.Resumed{ID: "2", Room: "lobby", Member: "m2", Role: wire.RoleSpeaker, Talker: 2, Muted: true, Slots: 3, Hall: 1,
			Audience: 7, Total: 9, Stage: []wire.StageMember{ada}, StageChanges: []wire.StageChange{{StageMember: ada, Gone: true}},
			Rev: 4, Talkers: []uint32{1}, Hands: []wire.Hand{{Member: "m3", Name: "Bo"}}, HandCount: 1, Rules: rules,
			Ear: true, Mic: true, Invite: &wire.StageInvite{Role: wire.RoleSpeaker, By: "m1", ExpiresS: 60}, Resume: ticket},
		wire.StageInvite{Role: wire.RoleHost, By: "m1", ExpiresS: 60},
		wire.StageInviteClosed{Member: "m2", Name: "Bo", Outcome: wire.StageLapsed},
		wire.GuestLapsed{Name: "Bo", Role: wire.RoleSpeaker},
		wire.HostChanged{Member: "m2", Name: "Bo", Reason: wire.HostPassed, By: "m1"},
		wire.Audience{ID: "21", People: []wire.AudienceMember{{Member: "m3", Name: "Bo", Hand: true, Away: true, Profile: "a1", Picture: "p1"}}, Count: 1, Next: 9},
		wire.Redirect{ID: "2", URL: "wss://n2.example.org/ws", Reason: wire.RedirectPlace},
	}
}

func TestEncodeDecodeRoundTripOfEveryType(t *testing.T) {
	seen := map[wire.Type]bool{}
	for _, m := range samples() {
		seen[wire.TypeOf(m)] = true
		data, err := wire.Encode(m)
		require.NoError(t, err, wire.TypeOf(m))
		assert.True(t, json.Valid(data), "%s", data)
		back, err := wire.Decode(data)
		require.NoError(t, err, "%s", data)
		assert.Equal(t, m, back)

		_, fromClient := m.(wire.ClientMessage)
		_, clientErr := wire.DecodeClient(data)
		_, serverErr := wire.DecodeServer(data)
		if fromClient {
			assert.NoError(t, clientErr)
			assert.ErrorIs(t, serverErr, wire.Error{Code: wire.CodeUnknownType}, "the server does not send %s", wire.TypeOf(m))
		} else {
			assert.NoError(t, serverErr)
			assert.ErrorIs(t, clientErr, wire.Error{Code: wire.CodeUnknownType}, "a client does not send %s", wire.TypeOf(m))
		}
	}
	for _, name := range append(wire.ClientTypes(), wire.ServerTypes()...) {
		assert.True(t, seen[name], "no sample of %s", name)
	}
	assert.Len(t, seen, len(wire.ClientTypes())+len(wire.ServerTypes()))
}

func TestEncodeKeepsRequiredEmptyFields(t *testing.T) {
	for want, m := range map[string]wire.Message{
		`{"type":"talkers","talkers":[]}`:                     wire.Talkers{},
		`{"type":"presence","audience":0,"rev":0}`:            wire.Presence{},
		`{"type":"presence","audience":0,"rev":0,"hands":[]}`: wire.Presence{Hands: []wire.Hand{}},
		`{"type":"ok"}`:                                            wire.OK{},
		`{"type":"leave"}`:                                         wire.Leave{},
		`{"type":"mute","muted":false}`:                            wire.Mute{},
		`{"type":"offer","media":"ear","sdp":"<&>"}`:               wire.Offer{Media: wire.MediaEar, SDP: "<&>"},
		`{"type":"offer","media":"ear","sdp":"v=0","node":"q3zk"}`: wire.Offer{Media: wire.MediaEar, SDP: "v=0", Node: "q3zk"},
	} {
		data, err := wire.Encode(m)
		require.NoError(t, err)
		assert.Equal(t, want, string(data))
	}
}

func TestDecodeClient(t *testing.T) {
	long := strings.Repeat("x", wire.MaxName+1)
	for name, row := range map[string]struct {
		in   string
		want wire.ClientMessage // nil: refused
		code wire.Code
		id   string
		text string // part of the message
	}{
		"unknown fields are ignored":                 {in: `{"type":"leave","id":"a","shoe":{"size":[44]}}`, want: wire.Leave{ID: "a"}},
		"white space around the object is allowed":   {in: " \n{\"type\":\"leave\"}\t", want: wire.Leave{}},
		"order of fields does not matter":            {in: `{"media":"ear","id":"a","type":"hangup"}`, want: wire.Hangup{ID: "a", Media: wire.MediaEar}},
		"a name at the limit is allowed":             {in: `{"type":"hello","version":1,"name":"` + long[1:] + `"}`, want: wire.Hello{Version: 1, Name: long[1:]}},
		"a joiner in an emoji is allowed":            {in: `{"type":"hello","version":1,"name":"👩‍🚀"}`, want: wire.Hello{Version: 1, Name: "👩‍🚀"}},
		"an empty message is refused":                {in: ``, code: wire.CodeBadRequest, text: "JSON object"},
		"null is refused":                            {in: `null`, code: wire.CodeBadRequest, text: "JSON object"},
		"an array is refused":                        {in: `[]`, code: wire.CodeBadRequest, text: "JSON object"},
		"a broken object is refused with its place":  {in: `{"type":"leave",}`, code: wire.CodeBadRequest, text: "byte 17"},
		"a field that stands twice is refused":       {in: `{"type":"leave","id":"a","x":1,"x":2}`, code: wire.CodeBadRequest, id: "a", text: `"x" stands twice`},
		"nor may its case or its spelling differ":    {in: `{"type":"leave","\u0054ype":"end"}`, code: wire.CodeBadRequest, text: `"Type" stands twice`},
		"a field within a field may not either":      {in: `{"type":"leave","x":[{"a":{"k":1,"ſ":2,"K":3}}]}`, code: wire.CodeBadRequest, text: `"K" stands twice`},
		"objects side by side share no fields":       {in: `{"type":"leave","x":[{"a":1},{"a":"\"a"},["a","a"]],"a":{"x":{}}}`, want: wire.Leave{}},
		"text after the object is refused":           {in: `{"type":"leave"}{}`, code: wire.CodeBadRequest, text: "byte 17"},
		"invalid UTF-8 is refused":                   {in: "{\"type\":\"leave\",\"x\":\"\xff\"}", code: wire.CodeBadRequest, text: "UTF-8"},
		"deep nesting is refused":                    {in: `{"type":"leave","x":` + strings.Repeat("[", 60000), code: wire.CodeBadRequest, text: "deeper"},
		"brackets inside a string do not nest":       {in: `{"type":"leave","x":"` + strings.Repeat("[", 100) + `\"{"}`, want: wire.Leave{}},
		"a message too long is refused":              {in: `{"type":"leave","x":"` + strings.Repeat("x", wire.MaxMessage) + `"}`, code: wire.CodeTooLarge},
		"a missing type is refused":                  {in: `{"id":"a"}`, code: wire.CodeBadRequest, id: "a", text: `"type" is missing`},
		"an unknown type is refused with its id":     {in: `{"type":"dance","id":"a"}`, code: wire.CodeUnknownType, id: "a", text: `"dance"`},
		"a type that is no string is refused":        {in: `{"type":7}`, code: wire.CodeBadRequest, text: `"type"`},
		"an id that is no string is refused":         {in: `{"type":"leave","id":7}`, code: wire.CodeBadRequest, text: `"id" must not be a JSON number`},
		"an id too long is refused and not echoed":   {in: `{"type":"leave","id":"` + strings.Repeat("x", wire.MaxID+1) + `"}`, code: wire.CodeBadRequest, text: `"id" is longer`},
		"a number too long is not echoed whole":      {in: `{"type":"leave","id":` + strings.Repeat("1", 5000) + `}`, code: wire.CodeBadRequest, text: `"id"`},
		"an id with a line break is refused":         {in: `{"type":"leave","id":"a\nb"}`, code: wire.CodeBadRequest, text: `"id" may hold`},
		"another version is refused":                 {in: `{"type":"hello","id":"a","version":2}`, code: wire.CodeUnsupportedVersion, id: "a", text: "version 1"},
		"a missing version is refused":               {in: `{"type":"hello"}`, code: wire.CodeUnsupportedVersion},
		"a name too long is refused":                 {in: `{"type":"hello","version":1,"name":"` + long + `"}`, code: wire.CodeBadRequest, text: `"name"`},
		"a name with a control character is refused": {in: `{"type":"hello","version":1,"name":"a\u0007"}`, code: wire.CodeBadRequest, text: `"name"`},
		"a name that reverses text is refused":       {in: `{"type":"hello","version":1,"name":"a\u202e"}`, code: wire.CodeBadRequest, text: `"name"`},
		"a join without a room is refused":           {in: `{"type":"join","id":"a"}`, code: wire.CodeBadRequest, id: "a", text: `"room" is missing`},
		"a room with a slash is refused":             {in: `{"type":"join","room":"a/b"}`, code: wire.CodeBadRequest, text: `"room"`},
		"a room of dots is refused":                  {in: `{"type":"join","room":".."}`, code: wire.CodeBadRequest, text: `"room"`},
		"an unknown role is refused":                 {in: `{"type":"join","room":"a","role":"king"}`, code: wire.CodeBadRequest, text: `"listener" "speaker" "host"`},
		"a promotion to listener is refused":         {in: `{"type":"promote","member":"m","role":"listener"}`, code: wire.CodeBadRequest, text: `"role"`},
		"a promotion of nobody is refused":           {in: `{"type":"promote"}`, code: wire.CodeBadRequest, text: `"member" is missing`},
		"an unknown media is refused":                {in: `{"type":"offer","media":"nose","sdp":"v=0"}`, code: wire.CodeBadRequest, text: `"media"`},
		"an offer without SDP is refused":            {in: `{"type":"offer","media":"ear"}`, code: wire.CodeBadRequest, text: `"sdp" is missing`},
		"an SDP too long is refused":                 {in: `{"type":"offer","media":"ear","sdp":"` + strings.Repeat("x", wire.MaxSDP+1) + `"}`, code: wire.CodeBadRequest, text: `"sdp" is longer`},
		"a mic on a node is refused":                 {in: `{"type":"offer","media":"mic","sdp":"v=0","node":"n"}`, code: wire.CodeBadRequest, text: `"node" is for ears`},
		"a node's name that is too long is refused":  {in: `{"type":"offer","media":"ear","sdp":"v=0","node":"` + strings.Repeat("x", wire.MaxNode+1) + `"}`, code: wire.CodeBadRequest, text: `"node" is longer`},
		"an SDP with a control character is refused": {in: `{"type":"offer","media":"ear","sdp":"\u0000"}`, code: wire.CodeBadRequest, text: `"sdp"`},
		"rules that change nothing are refused":      {in: `{"type":"set-rules","id":"a"}`, code: wire.CodeBadRequest, id: "a", text: `must be given`},
		"an unknown hand policy is refused":          {in: `{"type":"set-rules","hands":"some"}`, code: wire.CodeBadRequest, text: `"off" "everyone" "invited"`},
		"one rule is enough":                         {in: `{"type":"set-rules","hands":"off"}`, want: wire.SetRules{Hands: wire.HandsOff}},
		"to hold nothing is a rule":                  {in: `{"type":"set-rules","audience_hold_ms":0}`, want: wire.SetRules{AudienceHold: new(int)}},
		"a hold that is too long is refused":         {in: `{"type":"set-rules","audience_hold_ms":201}`, code: wire.CodeBadRequest, text: `"audience_hold_ms" must be from 0 to 200`},
		"a negative hold is refused":                 {in: `{"type":"set-rules","audience_hold_ms":-1}`, code: wire.CodeBadRequest, text: `"audience_hold_ms" must be`},
		"a hold of half a millisecond is refused":    {in: `{"type":"set-rules","audience_hold_ms":0.5}`, code: wire.CodeBadRequest, text: `"audience_hold_ms"`},
		"a resume without a key is refused":          {in: `{"type":"resume","room":"a","member":"m"}`, code: wire.CodeBadRequest, text: `"key" is missing`},
		"an invitation of nobody is refused":         {in: `{"type":"invite-to-stage"}`, code: wire.CodeBadRequest, text: `"member" is missing`},
		"an invitation to listen is refused":         {in: `{"type":"invite-to-stage","member":"m","role":"listener"}`, code: wire.CodeBadRequest, text: `"role"`},
		"a mute that does not say how is refused":    {in: `{"type":"mute","id":"a"}`, code: wire.CodeBadRequest, id: "a", text: `"muted" must be true or false`},
		"a mute with a word is refused":              {in: `{"type":"mute","id":"a","muted":"yes"}`, code: wire.CodeBadRequest, id: "a", text: `"muted" must not be a JSON string`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := wire.DecodeClient([]byte(row.in))
			if row.want != nil {
				require.NoError(t, err)
				assert.Equal(t, row.want, got)
				return
			}
			var refusal wire.Error
			require.ErrorAs(t, err, &refusal)
			assert.Nil(t, got)
			assert.Equal(t, row.code, refusal.Code)
			assert.Equal(t, row.id, refusal.ID)
			assert.Contains(t, refusal.Message, row.text)
			_, err = wire.Encode(refusal)
			assert.NoError(t, err, "a refusal can be sent")
		})
	}
}

func TestDecodeServerAcceptsReasonsOfNewerServers(t *testing.T) {
	m, err := wire.DecodeServer([]byte(`{"type":"goodbye","reason":"moved"}`))
	require.NoError(t, err)
	assert.Equal(t, wire.Goodbye{Reason: "moved"}, m)

	m, err = wire.DecodeServer([]byte(`{"type":"talkers","talkers":null}`))
	require.NoError(t, err)
	assert.Equal(t, wire.Talkers{Talkers: []uint32{}}, m)
}

func TestEncodeRefusesWhatCouldNotBeDecoded(t *testing.T) {
	_, err := wire.Encode(wire.Offer{Media: "nose"})
	assert.ErrorIs(t, err, wire.Error{Code: wire.CodeBadRequest})
	hands := make([]wire.Hand, wire.MaxHands+1)
	for i := range hands {
		hands[i].Member = "m"
	}
	_, err = wire.Encode(wire.Presence{Hands: hands})
	assert.ErrorContains(t, err, `"hands"`)
}

func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		data, err := wire.Encode(m)
		require.NoError(f, err)
		f.Add(data)
	}
	for _, seed := range []string{"", "null", "{}", `{"type":"mute"}`, `{"type":"presence","hands":null}`,
		`{"type":"offer","media":"ear","sdp":"\ud800\u2028"}`, `{"type":"joined","stage":[[[[[[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.Decode(data)
		if err != nil {
			var refusal wire.Error
			require.ErrorAs(t, err, &refusal, "every refusal has a code")
			_, known := refusal.Code.Info()
			require.True(t, known, "%q is in the table", refusal.Code)
			_, err := wire.Encode(refusal)
			require.NoError(t, err, "every refusal can be sent")
			return
		}
		out, err := wire.Encode(m)
		require.NoError(t, err, "what decodes re-encodes")
		require.NoError(t, wire.CheckFields(out), "no field stands twice")
		again, err := wire.Decode(out)
		require.NoError(t, err, "and decodes again")
		require.Equal(t, m, again, "to the same")
		if len(data) < wire.MaxMessage && wire.CheckFields(data) == nil {
			spaced, err := wire.Decode(append([]byte(" "), data...))
			require.NoError(t, err, "and however it begins")
			require.Equal(t, m, spaced, "it is the same")
		}
	})
}
