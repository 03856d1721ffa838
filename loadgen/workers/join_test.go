package workers

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// coordinate starts a coordinator for so many workers.
func coordinate(t *testing.T, n int) *Coordinator {
	t.Helper()
	c, err := NewCoordinator(Config{Listen: "127.0.0.1:0", Token: "secret", Plan: Plan{Workers: n, Scenario: small(t)}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// small is a scenario for few.
func small(t *testing.T) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test", []byte("name: test\nroom: {capacity: 5}\ncast:\n  - {role: speaker, count: 1, audio: builtin:speech}\n  - {role: listener, count: 5}\nhold: 5s\n"))
	require.NoError(t, err)
	return s
}

func TestWorkerTooManyIsRefused(t *testing.T) {
	c := coordinate(t, 1)
	first, err := Join(t.Context(), Enrolment{URL: c.JoinURL(), Wait: time.Minute, Name: "first"})
	require.NoError(t, err)
	defer first.Close()
	require.Len(t, c.Workers(), 1)
	assert.Equal(t, "1 (first)", c.Workers()[0].Name)
	_, err = Join(t.Context(), Enrolment{URL: c.JoinURL(), Wait: time.Minute, Name: "second"})
	require.ErrorIs(t, err, ErrRefused)
	assert.ErrorContains(t, err, "all 1 workers are there already")
	assert.Len(t, c.Workers(), 1)
}

// enrolled is what the coordinator answers to a greeting.
func enrolled(t *testing.T, c *Coordinator, h hello) (w welcome) {
	t.Helper()
	conn, err := nats.Connect(c.JoinURL())
	require.NoError(t, err)
	defer conn.Close()
	text, err := json.Marshal(h)
	require.NoError(t, err)
	answer, err := conn.Request(enrolSubject, text, time.Minute)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(answer.Data, &w))
	return w
}

func TestWorkerThatAsksAgainIsTakenOnce(t *testing.T) {
	c := coordinate(t, 2)
	h := hello{Protocol: protocol, Build: build(), ID: "one", Name: "first"}
	for range 2 {
		w := enrolled(t, c, h)
		assert.Empty(t, w.Refused)
		assert.Zero(t, w.Number)
		assert.NotNil(t, w.Plan)
	}
	h.ID = "another"
	assert.Equal(t, 1, enrolled(t, c, h).Number)
	assert.Len(t, c.Workers(), 2)
}

func TestWorkerOfAnotherBuildIsRefused(t *testing.T) {
	c := coordinate(t, 1)
	for _, h := range []hello{{Protocol: protocol, Build: "v0.1 of yesterday"}, {Protocol: protocol - 1, Build: build()}} {
		w := enrolled(t, c, h)
		assert.Contains(t, w.Refused, "another build than the coordinator ("+h.Build)
		assert.Contains(t, w.Refused, "start the same earshot on all machines")
		assert.Nil(t, w.Plan)
	}
	assert.Empty(t, c.Workers())
}

func TestWorkerWithAnotherAudioFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "voice.ogg")
	put := func(voice string) {
		text, err := os.ReadFile(filepath.Join(testaudio.Dir(), voice))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, text, 0o644))
	}
	put("guest.ogg")
	s := small(t)
	s.Cast[0].Audio = []string{path}
	c, err := NewCoordinator(Config{Listen: "127.0.0.1:0", Token: "secret", Plan: Plan{Workers: 1, Scenario: s}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.Close()) }()
	put("host.ogg")
	_, err = Join(t.Context(), Enrolment{URL: c.JoinURL(), Secret: c.Secret(), Wait: time.Minute})
	require.ErrorIs(t, err, ErrRefused)
	assert.ErrorContains(t, err, path+" is another than the coordinator's")
	assert.ErrorContains(t, c.Wait(t.Context(), time.Minute), path, "the coordinator says so, too")

	require.NoError(t, os.Remove(path))
	_, err = audioDigests(s)
	assert.ErrorContains(t, err, path)
}

func TestWorkerWithAnotherTokenIsNotLetIn(t *testing.T) {
	c := coordinate(t, 1)
	_, err := Join(t.Context(), Enrolment{URL: "nats://wrong@" + c.server.Addr().String(), Wait: time.Minute})
	require.ErrorIs(t, err, nats.ErrAuthorization)
	assert.Empty(t, c.Workers())
}

func TestCoordinatorSaysHowManyWorkersAreMissing(t *testing.T) {
	c := coordinate(t, 2)
	assert.ErrorContains(t, c.Wait(t.Context(), time.Millisecond), "only 0 of 2 workers came")
}

func TestWorkerWithoutACoordinatorGivesUp(t *testing.T) {
	_, err := Join(t.Context(), Enrolment{URL: "nats://127.0.0.1:1", Wait: time.Millisecond})
	assert.ErrorIs(t, err, ErrNoCoordinator)
}

func TestWorkerJoinsTheNextRunAndNotTheSameOneAgain(t *testing.T) {
	c := coordinate(t, 2)
	c.cfg.Plan.Again = true
	m, err := Join(t.Context(), Enrolment{URL: c.JoinURL(), Secret: c.Secret(), Wait: time.Minute, Name: "first"})
	require.NoError(t, err)
	defer m.Close()
	assert.True(t, m.Again())
	_, err = Join(t.Context(), Enrolment{URL: c.JoinURL(), Secret: c.Secret(), Wait: time.Millisecond, Played: m.Run()})
	require.ErrorIs(t, err, errLater, "the run that it has played is still there")
	assert.Len(t, c.Workers(), 1)

	next := coordinate(t, 2)
	again, err := Join(t.Context(), Enrolment{URL: next.JoinURL(), Secret: next.Secret(), Wait: time.Minute, Played: m.Run()})
	require.NoError(t, err)
	again.Close()
}

func TestInterruptedRunIsNotPlayedAgain(t *testing.T) {
	c := coordinate(t, 1)
	c.cfg.Plan.Again = true
	m, err := Join(t.Context(), Enrolment{URL: c.JoinURL(), Secret: c.Secret(), Wait: time.Minute, Name: "first"})
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, c.Send(link.News{Sequence: 1, Stop: "interrupted", Interrupted: true}))
	<-m.News()
	assert.False(t, m.Again())
}

// What goes over a network is read by whoever is on the way, unless it is encrypted.
func TestPlainConnectionsOfWorkersAreSaid(t *testing.T) {
	elsewhere := lab.OwnAddress(t)
	if elsewhere == "" {
		t.Skip("this machine has no address but the loopback")
	}
	certificate := httptest.NewTLSServer(nil)
	defer certificate.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(certificate.Certificate())
	for _, c := range []struct {
		name, listen string
		encrypted    bool
		trusts       bool
		says         bool
	}{
		{"what stays on this machine goes over no network", "127.0.0.1:0", false, false, false},
		{"nor if the worker is told whose certificates to trust: of the target", "127.0.0.1:0", false, true, false},
		{"an address that others reach is in the open", net.JoinHostPort(elsewhere, "0"), false, false, true},
		{"but not with TLS", net.JoinHostPort(elsewhere, "0"), true, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Listen: c.listen, Token: "secret", Plan: Plan{Workers: 1, Scenario: small(t)}}
			e := Enrolment{Wait: time.Minute, Name: "first"}
			if c.encrypted {
				cfg.TLS = certificate.TLS
			}
			if c.trusts {
				e.TLS = &tls.Config{RootCAs: trusted, ServerName: "example.com", MinVersion: tls.VersionTLS12}
			}
			coordinator, err := NewCoordinator(cfg)
			require.NoError(t, err)
			defer func() { assert.NoError(t, coordinator.Close()) }()
			e.URL = coordinator.JoinURL()
			worker, err := Join(t.Context(), e)
			require.NoError(t, err)
			defer worker.Close()
			assert.Equal(t, c.says, coordinator.Plain())
			assert.Equal(t, c.says, worker.Plain())
		})
	}
	coordinator, err := NewCoordinator(Config{Listen: net.JoinHostPort(elsewhere, "0"), Token: "secret", Plan: Plan{Workers: 1, Scenario: small(t)}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, coordinator.Close()) }()
	_, err = Join(t.Context(), Enrolment{URL: coordinator.JoinURL(), TLS: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}, Name: "first"})
	require.Error(t, err, "whoever says what to trust goes over no network in the open")
}
