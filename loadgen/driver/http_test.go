package driver_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// Whatever a server answers that is no success, it is an error that says what, and only a server that did not
// wait long enough has not said no.
func FuzzRefusal(f *testing.F) {
	f.Add(404, []byte("404 page not found\n"))
	f.Add(503, []byte(`{"error":{"code":"room_full","message":"the room is full"}}`))
	f.Add(408, []byte(``))
	f.Add(200, []byte(`{"error":{"code":7}}`))
	f.Add(-1, []byte("\xff\x00\r\n"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		err := driver.Refusal(&http.Response{StatusCode: status}, body)
		coded := !driver.RefusedWith(err, status)
		assert.Equal(t, coded || status != http.StatusRequestTimeout, driver.Refused(err))
		assert.False(t, driver.RefusedWith(err, status+1))
		if coded {
			assert.Contains(t, string(body), `:`, "only what our servers say has a code")
			return
		}
		assert.False(t, driver.Forgotten(err), "only our servers say so")
		assert.LessOrEqual(t, len(err.Error()), 1000, "it is for people to read")
		assert.NotRegexp(t, `[\x00-\x1f\x7f]`, err.Error())
	})
}
