//go:build unix

package endtoend_test

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// joinsTurn is how many people join the one or the other in a row.
const joinsTurn = 50

// BenchmarkJoinsOfANode is what a join of a guest costs a single server, and what it costs a cluster of three nodes, of which
// two learn of it: from the WebSocket to the keys of the ear, with the client, who leaves again. All are in this process. They
// take turns.
//
//	go test ./internal/endtoend -run '^$' -bench JoinsOfANode -benchtime 50x
func BenchmarkJoinsOfANode(b *testing.B) {
	single, _ := serveMedia(b, rtc.Config{Media: "127.0.0.1:0"}, signaling.Config{OperatorToken: operatorToken, Key: []byte(strings.Repeat("k", 32))})
	node := startNodes(b, 1000, 1000, 1000)[0]
	tokens := auth.New(auth.Config{Key: []byte(strings.Repeat("k", 32)), TokenTTL: time.Hour, RefreshTTL: time.Hour, Clock: time.Now})
	clock := timebase.NewClock()
	crowd, err := client.NewCrowd(clock, &feedback.NACKCounter{}, func(time.Duration, uint64) {}, 1, client.TURN{})
	require.NoError(b, err)
	defer func() { require.NoError(b, crowd.Close()) }()
	listener := ledger.NewBook(record.NewAggregator()).NewLedger().AddListener(1, record.Labels{})

	room := func(url, query string) (cost func() time.Duration) {
		id := ask(b, http.MethodPost, url+"/api/rooms"+query, operatorToken, map[string]any{"name": "hall"})["room"].(string)
		return func() time.Duration {
			began := processTime(b)
			for range joinsTurn {
				token, err := tokens.Issue(auth.Claims{Room: id, Role: wire.RoleListener, Name: "guest", Invite: "any"})
				require.NoError(b, err)
				joinAndLeave(b, url, id, token.Token, crowd.NewClient(1, network.UDP, nil, network.RepairNone, listener))
			}
			return processTime(b) - began
		}
	}
	atSingle, atNode := room(single, ""), room(node.url, "?node="+node.id)
	atSingle()
	atNode()
	var ratios []float64
	var all [2]time.Duration
	for b.Loop() {
		s, n := atSingle(), atNode()
		all[0], all[1] = all[0]+s, all[1]+n
		ratios = append(ratios, s.Seconds()/n.Seconds())
	}
	slices.Sort(ratios)
	joins := float64(b.N * joinsTurn)
	b.ReportMetric(all[0].Seconds()*1000/joins, "single-cpu-ms/join")
	b.ReportMetric(all[1].Seconds()*1000/joins, "node-cpu-ms/join")
	b.ReportMetric(ratios[len(ratios)/2], "of-a-single-server's")
	b.ReportMetric(0, "ns/op") // which would be how long two turns are
}

// joinAndLeave has somebody come into a room with an ear, and leave.
func joinAndLeave(b *testing.B, url, room, token string, ear *client.LeanClient) {
	b.Helper()
	conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(url, "http", "ws", 1)+"/ws", nil)
	require.NoError(b, err)
	defer conn.Close()
	ask := func(request map[string]any) map[string]any {
		request["id"] = "x"
		require.NoError(b, conn.WriteJSON(request))
		for {
			var answer map[string]any
			require.NoError(b, conn.ReadJSON(&answer))
			if answer["id"] != nil {
				require.NotEqual(b, "error", answer["type"], "%v", answer)
				return answer
			}
		}
	}
	ask(map[string]any{"type": "hello", "version": 1, "token": token})
	ask(map[string]any{"type": "join", "room": room, "role": "listener"})
	offer, err := ear.Offer(b.Context())
	require.NoError(b, err)
	require.NoError(b, ear.Accept(ask(map[string]any{"type": "offer", "media": "ear", "sdp": offer})["sdp"].(string)))
	_, err = ear.Wait(b.Context())
	require.NoError(b, err)
	ask(map[string]any{"type": "leave"})
	require.NoError(b, ear.Close())
}

// processTime is what this process has used.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
