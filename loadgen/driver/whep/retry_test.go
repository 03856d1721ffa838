package whep

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// However a server asks to come back later, it is not before now, and only where that is what its status means.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"120", " 0 ", "-1", "2147483648", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "Sun, 06 Nov 2994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "soon", ""} {
		f.Add(503, value)
	}
	f.Add(200, "120")
	f.Add(409, "1")
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, value string) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {value}}}
		wait, asked := retryAfter(resp, now)
		assert.GreaterOrEqual(t, wait, time.Duration(0))
		if !asked {
			assert.Zero(t, wait)
			return
		}
		assert.True(t, notYet("ear", status), "a status that means so")
		assert.NotEmpty(t, value)
		again, _ := retryAfter(resp, now.Add(-time.Hour))
		assert.GreaterOrEqual(t, again, wait, "a time is later the earlier it is now")
	})
}
