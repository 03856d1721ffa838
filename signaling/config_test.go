package signaling

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestNewRefusesBadConfig(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*Config)
		text   string
	}{
		"no media":                       {func(c *Config) { c.Media = nil }, "media engine"},
		"a closed server, no operator":   {func(c *Config) { c.OperatorToken = "" }, "operator token"},
		"a short operator token":         {func(c *Config) { c.OperatorToken = "abc" }, "at least 16"},
		"a short key":                    {func(c *Config) { c.Key = []byte("x") }, "at least 32"},
		"negative slots":                 {func(c *Config) { c.Slots = -1 }, "slots is -1"},
		"too many slots":                 {func(c *Config) { c.Slots = 9 }, "from 1 to 8"},
		"a stage too large":              {func(c *Config) { c.Stage = 101 }, "stage"},
		"too many seats":                 {func(c *Config) { c.Capacity = 100_001 }, "capacity"},
		"a negative queue":               {func(c *Config) { c.SendQueue = -1 }, "send queue"},
		"a negative wait":                {func(c *Config) { c.HelloWait = -1 }, "hello"},
		"pings rarer than their answers": {func(c *Config) { c.PingEvery = time.Hour }, "shorter than"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{OperatorToken: operatorToken, Key: testKey, Media: &rtc.Engine{}}
			row.change(&cfg)
			_, err := New(cfg)
			assert.ErrorContains(t, err, row.text)
		})
	}
}

func TestNewWithSharedMetricsRegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	h := open(t, func(c *Config) { c.Registry = registry })
	families, err := registry.Gather()
	require.NoError(t, err)
	names := map[string]bool{}
	for _, family := range families {
		names[family.GetName()] = true
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "earshot_rooms", "earshot_members",
		"earshot_ears", "earshot_mics", "earshot_ws_sessions", "earshot_ws_slow_disconnects_total",
		"earshot_ws_messages_total", "earshot_media_packets_sent_total", "earshot_media_packets_dropped_total"} {
		assert.True(t, names[name], name)
	}
	_, err = New(Config{Open: true, Media: h.server.cfg.Media, Registry: registry})
	assert.ErrorContains(t, err, "metrics", "two servers cannot share a registry")
}

// The rules and the fan-out know nothing of messages, so they have defaults of their own.
func TestDefaultsOfRulesAndFanOutAreThoseOfTheProtocol(t *testing.T) {
	assert.EqualValues(t, wire.DefaultStage, room.DefaultStage)
	assert.EqualValues(t, wire.DefaultSlots, fanout.DefaultSlots)
}
