package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/lab"
)

// playShared has two workers of this machine play a scenario, with more arguments.
func playShared(t *testing.T, text string, args ...string) (s sharedSummary, out string) {
	t.Helper()
	summary := filepath.Join(t.TempDir(), "summary.json")
	args = append([]string{"run", file(t, "shared.yaml", text), "--workers", "2", "--summary", summary}, args...)
	said, err := earshotProcess(t, args...).CombinedOutput()
	_ = err // a busy machine may make it invalid
	s = readShared(t, summary)
	require.Len(t, s.Workers, 2, "%s", said)
	for _, w := range s.Workers {
		assert.Empty(t, w.Lost, "%s: %s", w.Name, said)
	}
	assert.NotEqual(t, "fail", s.Verdict, "%s", said)
	return s, string(said)
}

// TestWorkersPlayWhatIsMeasuredOtherwise plays the scenarios in which something else is
// measured than how packets come.
func TestWorkersPlayWhatIsMeasuredOtherwise(t *testing.T) {
	realTime(t)
	t.Parallel()
	t.Run("publishing alone", func(t *testing.T) {
		t.Parallel()
		s, out := playShared(t, `name: publishing
room: {capacity: 5, slots: 3}
cast:
  - {role: speaker, count: 5, audio: `+voice(t)+`, arrive: {within: 500ms}}
hold: 3s
thresholds:
  published: ["rate == 1"]
`, "--local")
		assert.EqualValues(t, 5, s.Metrics["published"].Total, "%s", out)
		assert.EqualValues(t, 5, s.Metrics["published"].Passes, "%s", out)
		assert.EqualValues(t, 5, s.Metrics["publish_duration"].Count, "%s", out)
	})
	t.Run("marks", func(t *testing.T) {
		t.Parallel()
		s, out := playShared(t, `name: marks
room: {capacity: 5, slots: 3}
audio_check: marker
cast:
  - {role: speaker, count: 2, audio: builtin:speech}
  - {role: listener, count: 3}
hold: 4s
thresholds:
  joined: ["rate == 1"]
`, "--local")
		assert.EqualValues(t, 3, s.Metrics["joined"].Passes, "%s", out)
		d := s.Metrics["delivered"]
		assert.Positive(t, d.Total)
		assert.Greater(t, float64(d.Passes), 0.8*float64(d.Total), "marks of the other worker's speaker are found: %s", out)
		assert.Zero(t, s.Metrics["unrecognised"].Passes, "%s", out)
	})
	t.Run("what probes hear", func(t *testing.T) {
		t.Parallel()
		s, out := playShared(t, `name: score
room: {capacity: 5, slots: 3}
audio_score: true
cast:
  - {role: speaker, count: 1, audio: builtin:speech}
  - {role: listener, count: 4}
hold: 6s
thresholds:
  audio_score: ["med > 1"]
`, "--local")
		assert.EqualValues(t, 2, s.Metrics["audio_score"].Count, "each worker has a probe, and one of them hears another's speaker: %s", out)
		assert.Greater(t, s.Metrics["audio_score"].Med, 3.0, "%s", out)
	})
}

// TestWorkersEndWhenAThresholdIsCrossed has a threshold abort a run that would last for minutes.
func TestWorkersEndWhenAThresholdIsCrossed(t *testing.T) {
	realTime(t)
	t.Parallel()
	summary := filepath.Join(t.TempDir(), "summary.json")
	said, err := earshotProcess(t, "run", file(t, "shared.yaml", `name: aborted
room: {capacity: 5, slots: 3}
cast:
  - {role: speaker, count: 1, audio: `+voice(t)+`}
  - {role: listener, count: 4}
hold: 5m
thresholds:
  delivered: {threshold: rate < 0.01, abort_on_fail: true}
`), "--workers", "2", "--local", "--summary", summary).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", said)
	assert.Equal(t, cli.ExitFail, exit.ExitCode(), "%s", said)
	s := readShared(t, summary)
	assert.Equal(t, "fail", s.Verdict, "%s", said)
	assert.Less(t, s.Scenario.SteadyS, 300.0, "%s", said)
	for _, w := range s.Workers {
		assert.Empty(t, w.Lost, "%s: %s", w.Name, said)
	}
}

// sample is the path of audio that comes with the scenarios.
func sample(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../scenarios/audio/" + name + ".ogg")
	require.NoError(t, err)
	return path
}

// TestWorkersPlayAnEvening plays what only one of the workers, or all of them at once, do: the
// host passes the role on, guests are invited who never come, and the room ends.
func TestWorkersPlayAnEvening(t *testing.T) {
	realTime(t)
	t.Parallel()
	s, out := playShared(t, `name: an evening
room: {capacity: 6, halls: 2, slots: 8}
cast:
  - {role: host, count: 1, audio: `+sample(t, "host")+`}
  - {role: speaker, count: 1, audio: `+sample(t, "guest")+`}
  - {role: listener, count: 10, arrive: {within: 500ms}}
timeline:
  - {at: 500ms, count: 2, do: invite-guest}
  - {at: 500ms, who: listener, count: 2, do: invite-to-stage}
  - {at: 3s, who: speaker, count: 1, do: mute}
  - {at: 3500ms, who: listener, count: 1, do: accept-stage}
  - {at: 4s, who: speaker, count: 1, do: kick}
  - {at: 4s, who: listener, count: 1, do: ban}
  - {at: 5s, who: listener, count: 3, do: reconnect}
  - {at: 6s, who: listener, count: 1, do: pass-host}
  - {at: 7s, who: listener, count: 1, do: promote}
  - {at: 9s, do: end}
hold: 10s
thresholds: {delivered: rate >= 0.9}
`, "--local")
	assert.Empty(t, s.Problems, "%s", out)
	assert.EqualValues(t, 10, s.Metrics["joined"].Passes, "%s", out)
	assert.EqualValues(t, 3, s.Metrics["promote_duration"].Count, "one accepted, one became host, one was promoted: %s", out)
	assert.EqualValues(t, 1, s.Metrics["mute_silence"].Count, "%s", out)
	assert.EqualValues(t, 2, s.Metrics["kick_silence"].Count, "%s", out)
	assert.EqualValues(t, 2, s.Metrics["no_shows"].Count, "%s", out)
}

// certificateFiles makes a certificate for 127.0.0.1 that signs itself.
func certificateFiles(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return file(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})))
}

// short is a scenario of a second.
func short(t *testing.T) string {
	return `name: short
room: {capacity: 5, slots: 3}
cast:
  - {role: speaker, count: 1, audio: ` + voice(t) + `}
  - {role: listener, count: 3}
hold: 1s
thresholds: {joined: rate == 1}
`
}

// TestWorkersPlayAgainOverTLS has two workers, each started once, play a scenario twice, over
// a connection with a certificate.
func TestWorkersPlayAgainOverTLS(t *testing.T) {
	realTime(t)
	t.Parallel()
	url, stop := served(t, "--open")
	defer func() { assert.Zero(t, stop()) }()
	at, summary := lab.FreeAddresses(t, 1)[0], filepath.Join(t.TempDir(), "summary.json")
	cert, key := certificateFiles(t)
	var workers [2]*exec.Cmd
	var said [2]bytes.Buffer
	for i := range workers {
		workers[i] = earshotProcess(t, "worker", "--join", "tls://"+at, "--ca", cert)
		workers[i].Env = append(os.Environ(), workerTokenEnv+"=secret")
		workers[i].Stderr = &said[i]
		require.NoError(t, workers[i].Start())
	}
	c := earshotProcess(t, "run", file(t, "shared.yaml", short(t)), "--workers", "2", "--coordinate", at, "--target", url,
		"--worker-cert", cert, "--worker-key", key, "--repeat", "2", "--summary", summary)
	c.Env = append(os.Environ(), workerTokenEnv+"=secret")
	out, err := c.CombinedOutput()
	_ = err // a busy machine may make it invalid
	for i, w := range workers {
		assert.NoError(t, w.Wait(), "%s", &said[i])
		assert.Equal(t, 2, strings.Count(said[i].String(), "joined a run"), "%s", &said[i])
	}
	for _, number := range []string{"1", "2"} {
		s := readShared(t, strings.TrimSuffix(summary, ".json")+"-"+number+".json")
		assert.EqualValues(t, 3, s.Metrics["joined"].Passes, "%s", out)
		require.Len(t, s.Workers, 2, "%s", out)
		for _, w := range s.Workers {
			assert.Empty(t, w.Lost, "%s", out)
		}
	}
}

// TestWorkersMeetOnANATSServer has coordinator and workers meet on a server that is there.
func TestWorkersMeetOnANATSServer(t *testing.T) {
	realTime(t)
	t.Parallel()
	external, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, Authorization: "known"})
	require.NoError(t, err)
	external.Start()
	defer func() { external.Shutdown(); external.WaitForShutdown() }()
	require.True(t, external.ReadyForConnections(time.Minute))
	s, out := playShared(t, short(t), "--local", "--nats", "nats://known@"+external.Addr().String())
	assert.EqualValues(t, 3, s.Metrics["joined"].Passes, "%s", out)
}

// TestWorkersPlayOverWHEP has workers publish and listen by WHIP and WHEP.
func TestWorkersPlayOverWHEP(t *testing.T) {
	realTime(t)
	t.Parallel()
	const token = "an-operator-token-of-the-tests"
	data := t.TempDir()
	url, stop := served(t, "--data", data, "--operator-token", token)
	defer func() { assert.Zero(t, stop()) }()
	stdout, stderr, code := command(t, "room", "create", "Lobby", "--target", url, "--data", data, "--token", token)
	require.Zero(t, code, stderr)
	room := url + "/rooms/" + strings.Fields(stdout)[1]
	s, out := playShared(t, short(t), "--local", "--driver", "whep", "--whip-url", room+"/whip", "--whep-url", room+"/whep", "--token", token)
	assert.EqualValues(t, 3, s.Metrics["joined"].Passes, "%s", out)
}
