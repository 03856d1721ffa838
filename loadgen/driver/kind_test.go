package driver_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

var kinds = driver.Kinds{
	{Name: "a", Servers: "servers of a", Flags: []driver.Flag{{Name: "target", Key: "target"}}},
	{Name: "b", Servers: "any B server", Flags: []driver.Flag{{Name: "b-url", Key: "url"}, {Name: "b-key"}, {Name: "b-token"}}},
	{Name: "c", Servers: "any C server"},
}

func TestKindsFindsByNameOrNamesThemAll(t *testing.T) {
	k, err := kinds.Find("b")
	require.NoError(t, err)
	assert.Equal(t, "any B server", k.Servers)
	_, err = kinds.Find("sip")
	assert.EqualError(t, err, `unknown --driver "sip": there are a, b, c`)
	assert.Equal(t, "`kind` of server: a, or b for any B server, or c for any C server", kinds.Usage())
}

func TestKindsRefusesFlagsOfOtherDrivers(t *testing.T) {
	for _, c := range []struct {
		name   string
		chosen int
		values map[string]string
		says   string // "" is no error
	}{
		{"its own flag", 0, map[string]string{"target": "x"}, ""},
		{"a flag without a value", 0, map[string]string{"b-key": ""}, ""},
		{"one of several flags of another driver", 0, map[string]string{"b-key": "x"}, "--b-url, --b-key and --b-token go with --driver b; with --driver a give --target"},
		{"the only flag of another driver", 1, map[string]string{"target": "x"}, "--target goes with --driver a; with --driver b give --b-url, --b-key or --b-token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := kinds.CheckFlags(kinds[c.chosen], c.values)
			if c.says == "" {
				assert.NoError(t, err)
				return
			}
			assert.EqualError(t, err, c.says)
		})
	}
}

func TestKindsFindsTheFlagOfAKey(t *testing.T) {
	k, f, ok := kinds.Key("url")
	assert.True(t, ok)
	assert.Equal(t, "b", k.Name)
	assert.Equal(t, "b-url", f.Name)
	_, _, ok = kinds.Key("")
	assert.False(t, ok, "a flag without a key has none")
	assert.Equal(t, []string{"target", "url"}, kinds.Keys())
}
