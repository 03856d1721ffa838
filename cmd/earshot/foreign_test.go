package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/process"
)

// BenchmarkForeignListeners measures how many packets a second a core of the server brings
// to clients of another make: 400 of pion/webrtc that listen over WHEP, each with sockets
// and threads of its own. A packet wakes its reader while it is being sent, which is not so
// with the crowd.
//
//	go test ./cmd/earshot -run '^$' -bench ForeignListeners -benchtime 1x
func BenchmarkForeignListeners(b *testing.B) {
	const listeners, settle, measured = 400, 2 * time.Second, 10 * time.Second
	url, pid := servedByProcess(b)
	var cpu time.Duration
	var packets uint64
	for range b.N {
		ctx, end := context.WithCancel(b.Context())
		var heard atomic.Uint64
		var work sync.WaitGroup
		mic := publishForeign(b, url+"/rooms/foreign/whip")
		work.Go(func() { talk(ctx, mic) })
		for range listeners {
			listenForeign(b, url+"/rooms/foreign/whep", &heard)
		}
		time.Sleep(settle)
		before, was := usageOf(b, pid), heard.Load()
		time.Sleep(measured)
		cpu += usageOf(b, pid) - before
		packets += heard.Load() - was
		end()
		work.Wait()
	}
	b.ReportMetric(float64(packets)/cpu.Seconds(), "packets/core")
	b.ReportMetric(float64(packets)/float64(b.N)/(listeners*measured.Seconds()*50)*100, "%-delivered")
	b.ReportMetric(0, "ns/op")
}

func usageOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	u, err := process.UsageOf(pid)
	require.NoError(b, err)
	return u.CPU
}

// talk sends a frame of silence every 20 ms.
func talk(ctx context.Context, mic *webrtc.TrackLocalStaticSample) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = mic.WriteSample(media.Sample{Data: bytes.Repeat([]byte{0x78}, 80), Duration: 20 * time.Millisecond})
		case <-ctx.Done():
			return
		}
	}
}

func publishForeign(b *testing.B, url string) *webrtc.TrackLocalStaticSample {
	b.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	require.NoError(b, err)
	b.Cleanup(func() { _ = pc.Close() })
	mic, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "mic")
	require.NoError(b, err)
	_, err = pc.AddTransceiverFromTrack(mic, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(b, err)
	connectForeign(b, pc, url)
	return mic
}

func listenForeign(b *testing.B, url string, heard *atomic.Uint64) {
	b.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	require.NoError(b, err)
	b.Cleanup(func() { _ = pc.Close() })
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(b, err)
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		buf := make([]byte, 1500)
		for {
			if _, _, err := t.Read(buf); err != nil {
				return
			}
			heard.Add(1)
		}
	})
	connectForeign(b, pc, url)
}

// connectForeign offers a connection to a WHIP or WHEP endpoint.
func connectForeign(b *testing.B, pc *webrtc.PeerConnection, url string) {
	b.Helper()
	offer, err := pc.CreateOffer(nil)
	require.NoError(b, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(b, pc.SetLocalDescription(offer))
	<-gathered
	resp, err := http.Post(url, "application/sdp", bytes.NewReader([]byte(pc.LocalDescription().SDP)))
	require.NoError(b, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusCreated, resp.StatusCode, "%s", answer)
	require.NoError(b, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}))
}

// servedByProcess starts an open server in a process of its own, which ends with the benchmark.
func servedByProcess(b *testing.B) (url string, pid int) {
	b.Helper()
	c := exec.CommandContext(b.Context(), os.Args[0], "serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0",
		"--rate-limit-exempt", "127.0.0.0/8")
	out, err := c.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, c.Start())
	b.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return address.FindString(line), c.Process.Pid
}
