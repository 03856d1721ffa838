package server

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServeRateLimitExemptions(t *testing.T) {
	for name, row := range map[string]struct {
		flags serveFlags
		want  []string // nil: refused
	}{
		"nobody":                                 {serveFlags{}, []string{}},
		"who is named":                           {serveFlags{rateLimitExempt: []string{"10.1.0.0/16"}}, []string{"10.1.0.0/16"}},
		"the loopback of an open server":         {serveFlags{open: true}, loopback},
		"nobody if it is open to the network":    {serveFlags{open: true, openToNetwork: true}, []string{}},
		"an address is not a range":              {serveFlags{rateLimitExempt: []string{"10.1.2.3"}}, nil},
		"an address within a range is not one":   {serveFlags{rateLimitExempt: []string{"10.1.2.3/16"}}, nil},
		"nonsense is refused and never ignored":  {serveFlags{rateLimitExempt: []string{"loopback"}}, nil},
		"nothing is refused and never ignored":   {serveFlags{rateLimitExempt: []string{""}}, nil},
		"the second is looked at like the first": {serveFlags{rateLimitExempt: []string{"10.1.0.0/16", "x"}}, nil},
	} {
		got, err := row.flags.exempt()
		if row.want == nil {
			assert.ErrorContains(t, err, "--rate-limit-exempt", name)
			continue
		}
		require.NoError(t, err, name)
		texts := []string{}
		for _, p := range got {
			texts = append(texts, p.String())
		}
		assert.Equal(t, row.want, texts, name)
	}
}
