//go:build unix

package endtoend_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

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
const joinsTurn = 60

// BenchmarkJoinsOfANode is what a join of a guest costs a single server, and what it costs a cluster of three nodes, of which
// two learn of it: from the WebSocket to the keys of the ear, with the client, who leaves again. All are in this process. They
// take turns. People come one after the other, or twenty at a time, as in a rush.
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
	book := ledger.NewBook(record.NewAggregator())

	room := func(url, query string, together int) (cost func() time.Duration) {
		id := ask(b, http.MethodPost, url+"/api/rooms"+query, operatorToken, map[string]any{"name": "hall"})["room"].(string)
		return func() time.Duration {
			began := processTime(b)
			var people errgroup.Group
			for range together {
				listener := book.NewLedger().AddListener(1, record.Labels{})
				people.Go(func() error {
					for range joinsTurn / together {
						token, err := tokens.Issue(auth.Claims{Room: id, Role: wire.RoleListener, Name: "guest", Invite: "any"})
						if err != nil {
							return err
						}
						if err := joinAndLeave(b.Context(), url, id, token.Token, crowd.NewClient(1, network.UDP, nil, network.RepairNone, listener)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(b, people.Wait())
			return processTime(b) - began
		}
	}
	for _, c := range []struct {
		name     string
		together int
	}{{"OneByOne", 1}, {"Rush", 20}} {
		b.Run(c.name, func(b *testing.B) {
			atSingle, atNode := room(single, "", c.together), room(node.url, "?node="+node.id, c.together)
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
		})
	}
}

// joinAndLeave has somebody come into a room with an ear, and leave.
func joinAndLeave(ctx context.Context, url, room, token string, ear *client.LeanClient) error {
	conn, _, err := websocket.DefaultDialer.DialContext(ctx, strings.Replace(url, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	ask := func(request map[string]any) (answer map[string]any, err error) {
		request["id"] = "x"
		if err := conn.WriteJSON(request); err != nil {
			return nil, err
		}
		for {
			answer = nil
			switch err := conn.ReadJSON(&answer); {
			case err != nil:
				return nil, err
			case answer["type"] == "error":
				return nil, fmt.Errorf("%v", answer)
			case answer["id"] != nil:
				return answer, nil
			}
		}
	}
	if _, err := ask(map[string]any{"type": "hello", "version": 1, "token": token}); err != nil {
		return err
	}
	if _, err := ask(map[string]any{"type": "join", "room": room, "role": "listener"}); err != nil {
		return err
	}
	offer, err := ear.Offer(ctx)
	if err != nil {
		return err
	}
	answer, err := ask(map[string]any{"type": "offer", "media": "ear", "sdp": offer})
	if err != nil {
		return err
	}
	if err := ear.Accept(answer["sdp"].(string)); err != nil {
		return err
	}
	if _, err := ear.Wait(ctx); err != nil {
		return err
	}
	if _, err := ask(map[string]any{"type": "leave"}); err != nil {
		return err
	}
	return ear.Close()
}

// processTime is what this process has used.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
