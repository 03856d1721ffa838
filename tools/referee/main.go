// Command referee listens to a room of a LiveKit server by LiveKit's own SDK, and says what came of each publisher's
// packets. It shares no code with earshot, so that earshot's figures can be checked against it: make interop does.
//
// It waits for a room whose name begins with -room, joins it with several listeners, and stays until the room ends or
// it is interrupted. Then it writes its figures to standard output, as JSON. The key and the secret are in
// LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "referee:", err)
		os.Exit(1)
	}
}

// What it writes.
type figures struct {
	SDK     string   `json:"sdk"`
	Joined  int      `json:"joined"`
	Refused []string `json:"refused"` // why the others did not join
	Streams []heard  `json:"streams"`
}

// heard is what one listener received of one publisher's track.
type heard struct {
	Listener  string   `json:"listener"`
	Publisher string   `json:"publisher"`
	Track     string   `json:"track"`
	Seconds   []second `json:"seconds"`
}

func run(ctx context.Context, arguments []string, to io.Writer) error {
	flags := flag.NewFlagSet("referee", flag.ContinueOnError)
	url := flags.String("url", "ws://127.0.0.1:7880", "of the LiveKit server")
	room := flags.String("room", "earshot-", "how the name of the room begins")
	listeners := flags.Int("listeners", 1, "how many join it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	key, secret := os.Getenv("LIVEKIT_API_KEY"), os.Getenv("LIVEKIT_API_SECRET")
	if key == "" || secret == "" {
		return errors.New("set LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
	}
	lksdk.SetLogger(logger.GetDiscardLogger()) // it logs every participant who comes
	name, err := await(ctx, lksdk.NewRoomServiceClient(*url, key, secret), *room)
	if err != nil {
		return err
	}
	out := figures{SDK: lksdk.Version}
	var joined []*sdkListener
	for i := range *listeners { // one after the other: a referee is no load
		l, err := listen(ctx, *url, lksdk.ConnectInfo{APIKey: key, APISecret: secret, RoomName: name, ParticipantIdentity: fmt.Sprintf("referee-%d", i+1)})
		if err != nil {
			out.Refused = append(out.Refused, err.Error())
			continue
		}
		joined = append(joined, l)
	}
	out.Joined = len(joined)
	for _, l := range joined {
		out.Streams = append(out.Streams, l.wait(ctx)...)
	}
	return json.NewEncoder(to).Encode(out)
}

// await returns the name of the first room that begins so, when there is one.
func await(ctx context.Context, rooms *lksdk.RoomServiceClient, prefix string) (string, error) {
	for {
		list, err := rooms.ListRooms(ctx, &livekit.ListRoomsRequest{})
		if err != nil {
			return "", fmt.Errorf("list the rooms: %w", err)
		}
		for _, r := range list.GetRooms() {
			if strings.HasPrefix(r.GetName(), prefix) {
				return r.GetName(), nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no room that begins with %s came", prefix)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// An sdkListener is one participant, with the SDK's own settings: it subscribes to every track, and does not ask for
// audio again.
type sdkListener struct {
	name string
	room *lksdk.Room
	over chan struct{} // closed when the server has ended it
	end  sync.Once

	reading sync.WaitGroup
	mu      sync.Mutex
	tracks  []*track
}

// A track is one that a listener is subscribed to.
type track struct {
	heard
	stream stream // owned by the goroutine that reads, and by wait after that
}

// patience is how long a join may take: on a link that loses, longer than the SDK's 5 s.
const patience = 20 * time.Second

// listen joins a room.
func listen(ctx context.Context, url string, who lksdk.ConnectInfo) (*sdkListener, error) {
	l := &sdkListener{name: who.ParticipantIdentity, over: make(chan struct{})}
	ended := func() { l.end.Do(func() { close(l.over) }) }
	callbacks := &lksdk.RoomCallback{OnDisconnected: ended}
	callbacks.OnTrackSubscribed = l.subscribed
	l.room = lksdk.NewRoom(callbacks)
	if err := l.room.JoinWithContext(ctx, url, who, lksdk.WithDisableRegionDiscovery(), lksdk.WithConnectTimeout(patience)); err != nil {
		return nil, fmt.Errorf("%s: join: %w", l.name, err)
	}
	return l, nil
}

// wait waits until the room ends, and returns what the listener has heard.
func (l *sdkListener) wait(ctx context.Context) []heard {
	select {
	case <-l.over:
	case <-ctx.Done():
	}
	l.room.Disconnect() // ends its tracks
	l.reading.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []heard
	for _, t := range l.tracks {
		t.Seconds = t.stream.seconds()
		all = append(all, t.heard)
	}
	return all
}
