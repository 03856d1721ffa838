package signal

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// tree is a message as its fields' numbers and values say, for messages without a schema.
// Bytes are text, or a message if the field's number is named.
func tree(t *testing.T, b []byte, messages ...protowire.Number) map[protowire.Number]any {
	t.Helper()
	all := map[protowire.Number]any{}
	require.NoError(t, fields(b, func(number protowire.Number, v value) error {
		all[number] = v.number
		if v.bytes != nil {
			all[number] = string(v.bytes)
		}
		for _, m := range messages {
			if m == number {
				all[number] = tree(t, v.bytes)
			}
		}
		return nil
	}))
	return all
}

type object = map[protowire.Number]any

func TestJoinSaysWhatLiveKitsMessagesSay(t *testing.T) {
	client := object{1: uint64(1), 2: "2.15.0", 3: uint64(16)}
	offer := object{1: "offer", 2: "v=0", 3: uint64(1)}
	for name, c := range map[string]struct {
		join Join
		want object
	}{
		"a listener is subscribed to all": {Join{Offer: "v=0"}, object{1: client, 2: object{1: uint64(1)}, 6: offer}},
		"a mic has neither RED nor DTX": {Join{Offer: "v=0", Sent: SentTrack{Track: "mic"}}, object{
			1: client, 6: offer,
			5: object{1: "mic", 2: "microphone", 7: uint64(1), 8: uint64(2), 13: uint64(1), 17: uint64(1)},
		}},
		"a mic may have RED": {Join{Offer: "v=0", Sent: SentTrack{Track: "mic", RED: true}}, object{
			1: client, 6: offer,
			5: object{1: "mic", 2: "microphone", 7: uint64(1), 8: uint64(2), 17: uint64(1)},
		}},
		"a mic may have DTX": {Join{Offer: "v=0", Sent: SentTrack{Track: "mic", DTX: true}}, object{
			1: client, 6: offer,
			5: object{1: "mic", 2: "microphone", 8: uint64(2), 13: uint64(1)},
		}},
		"a mic may have both": {Join{Offer: "v=0", Sent: SentTrack{Track: "mic", RED: true, DTX: true}}, object{
			1: client, 6: offer,
			5: object{1: "mic", 2: "microphone", 8: uint64(2)},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			wrapped, err := base64.URLEncoding.DecodeString(c.join.Query())
			require.NoError(t, err)
			request, ok := tree(t, wrapped)[2].(string)
			require.True(t, ok)
			assert.Equal(t, c.want, tree(t, []byte(request), 1, 2, 5, 6))
		})
	}
}

func TestResumptionNamesTheSession(t *testing.T) {
	wrapped, err := base64.URLEncoding.DecodeString(Resumption{Session: "PA_1"}.Query())
	require.NoError(t, err)
	request, ok := tree(t, wrapped)[2].(string)
	require.True(t, ok)
	assert.Equal(t, object{1: object{1: uint64(1), 2: "2.15.0", 3: uint64(16)}, 7: uint64(1), 8: uint64(1), 9: "PA_1"}, tree(t, []byte(request), 1))
}

func TestParametersSayWhatLiveKitsQueriesSay(t *testing.T) {
	assert.Equal(t, "auto_subscribe=1&protocol=16&sdk=js&version=2.15.0", Parameters().Encode())
	assert.Equal(t, "auto_subscribe=1&protocol=16&reconnect=1&reconnect_reason=1&sdk=js&sid=PA_1&version=2.15.0", Resumption{Session: "PA_1"}.Parameters().Encode())
}

func TestRequests(t *testing.T) {
	assert.Equal(t, object{4: object{1: "mic", 2: "microphone", 7: uint64(1), 8: uint64(2), 13: uint64(1), 17: uint64(1)}}, tree(t, AddTrack(SentTrack{Track: "mic"}), 4))
	assert.Equal(t, object{4: object{1: "mic", 2: "microphone", 8: uint64(2), 13: uint64(1)}}, tree(t, AddTrack(SentTrack{Track: "mic", DTX: true}), 4))
	assert.Equal(t, object{2: object{1: "answer", 2: "v=0", 3: uint64(4)}}, tree(t, Answer("v=0", 4), 2))
	assert.Equal(t, object{1: object{1: "offer", 2: "v=0", 3: uint64(4)}}, tree(t, Offer("v=0", 3), 1))
	assert.Equal(t, object{16: object{1: uint64(1700), 2: uint64(12)}}, tree(t, Ping(1700, 12), 16))
	assert.Equal(t, object{8: object{2: uint64(1)}}, tree(t, Leave(), 8))
}

// seeds are the server's messages, for the decoder's tests.
var seeds = map[string]struct {
	bytes []byte
	want  Message
}{
	"the room's news, of which the interval matters": {
		nested(nil, 1, varint(nested(varint(nil, 6, 1), 3, text(nil, 2, "speaker")), 11, 5)), Joined{PingInterval: 5},
	},
	"and the session":                     {nested(nil, 1, nested(nil, 2, text(text(nil, 2, "listener"), 1, "PA_1"))), Joined{Session: "PA_1"}},
	"a resumption":                        {nested(nil, 19, nested(nil, 3, text(nil, 2, "1.11.0"))), Resumed{}},
	"an answer":                           {nested(nil, 2, description("answer", "v=0\r\n", 3)), Answered{SDP: "v=0\r\n"}},
	"an offer":                            {nested(nil, 3, description("offer", "v=0\r\n", 3)), Offered{SDP: "v=0\r\n", ID: 3}},
	"a candidate of the other connection": {nested(nil, 4, varint(varint(text(nil, 1, `{"candidate":"candidate:2"}`), 2, 1), 3, 1)), Candidate{Value: "candidate:2", Final: true, Subscriber: true}},
	"a candidate":                         {nested(nil, 4, text(nil, 1, `{"candidate":"candidate:1 1 udp 1 127.0.0.1 7882 typ host","sdpMid":""}`)), Candidate{Value: "candidate:1 1 udp 1 127.0.0.1 7882 typ host"}},
	"the last candidate":                  {nested(nil, 4, varint(text(nil, 1, `{"candidate":"candidate:2"}`), 3, 1)), Candidate{Value: "candidate:2", Final: true}},
	"the end of candidates":               {nested(nil, 4, varint(nil, 3, 1)), Candidate{Final: true}},
	"a track":                             {nested(nil, 6, nested(text(nil, 1, "mic"), 2, text(nil, 1, "TR_1"))), Published{Track: "TR_1"}},
	"a wish for sections":                 {nested(nil, 25, varint(varint(nil, 1, 2), 2, 1)), Wanted{Audios: 2, Videos: 1}},
	"a wish for an offer":                 {nested(nil, 25, nil), Wanted{}},
	"more sections than there are":        {nested(nil, 25, varint(nil, 1, 1<<63)), Wanted{Audios: 1 << 20}},
	"a goodbye":                           {nested(nil, 8, varint(nil, 2, 4)), Left{Reason: "the participant was removed"}},
	"a goodbye of a later protocol":       {nested(nil, 8, varint(nil, 2, 999)), Left{Reason: "without a reason"}},
	"a pong":                              {nested(nil, 20, varint(varint(nil, 1, 1700), 2, 1800)), Pong{Sent: 1700}},
	"news of others":                      {nested(nil, 5, nested(nil, 1, text(nil, 2, "listener"))), nil},
	"kinds of fields that are not used": {
		protowire.AppendFixed32(protowire.AppendTag(nil, 99, protowire.Fixed32Type), 7), nil,
	},
	"nothing": {nil, nil},
}

func TestDecode(t *testing.T) {
	for name, c := range seeds {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(c.bytes)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestDecodeRefusesWhatIsNoMessage(t *testing.T) {
	for name, b := range map[string][]byte{
		"text":                     []byte(`{"join":{}}`),
		"a length beyond the end":  {0x0a, 0x05, 0x01},
		"a number without an end":  {0x08, 0xff, 0xff},
		"a nested message cut off": nested(nil, 1, []byte{0x58}),
		"a candidate in no JSON":   nested(nil, 4, text(nil, 1, "candidate:1")),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(b)
			assert.ErrorContains(t, err, "the server's message cannot be read")
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range seeds {
		f.Add(c.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			assert.Nil(t, m)
		}
		if w, ok := m.(Wanted); ok {
			assert.GreaterOrEqual(t, min(w.Audios, w.Videos), 0)
		}
	})
}
