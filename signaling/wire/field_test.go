package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var repetitions = []struct {
	why, text, twice string
	sure             bool
}{
	{"two fields of one name", `{"a":1,"b":2,"a":3}`, "a", true},
	{"names that differ in case", `{"type":1,"TYPE":2}`, "TYPE", true},
	{"case beyond ASCII: the Kelvin sign is a k", "{\"k\":1,\"\u212a\":2}", "\u212a", true},
	{"the same name in an object and in one in it", `{"a":{"a":1}}`, "", true},
	{"the same name in one after the other", `{"x":[{"a":1},{"a":2}],"a":3}`, "", true},
	{"a name that comes again after an inner object", `{"a":{"b":1},"c":[1,{"b":2}],"A":1}`, "A", true},
	{"in the second of two inner ones", `[{"a":1},{"b":1,"b":2}]`, "b", true},
	{"strings that look like names are values", `{"a":"a","b":["a","a","b"],"c":"b"}`, "", true},
	{"quotes and brackets in strings", `{"a":"\"b\":{[","b":"}]\\","c":"\\\""}`, "", true},
	{"a name written in another way, which the quick look leaves", `{"a":1,"\u0061":2}`, "a", false},
	{"too many fields for it", `{` + manyFields(fewFields+1) + `,"f0":1}`, "f0", false},
	{"as many as it takes", `{` + manyFields(fewFields) + `}`, "", true},
	{"too deep for it", strings.Repeat(`{"a":`, fewLevels+1) + `{"b":1,"b":2}` + strings.Repeat(`}`, fewLevels+1), "b", false},
	{"an empty name", `{"":1,"":2}`, "", true},
}

func manyFields(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = `"f` + strings.Repeat("x", i) + `0":1`
	}
	return strings.Join(fields, ",")
}

func TestCheckFieldsFindsRepeatedFields(t *testing.T) {
	for _, row := range repetitions {
		require.True(t, json.Valid([]byte(row.text)), row.why)
		name, twice := repeatedField([]byte(row.text))
		assert.Equal(t, row.twice, name, row.why)
		assert.Equal(t, row.twice != "" || row.why == "an empty name", twice, row.why)
		quick, found, sure := repeatedFew([]byte(row.text))
		assert.Equal(t, row.sure, sure, row.why)
		if sure {
			assert.Equal(t, twice, found, row.why)
			assert.Equal(t, name, quick, row.why)
		}
	}
}

func TestCheckFieldsAllocatesNothingForSmallMessages(t *testing.T) {
	data := []byte(`{"type":"offer","id":"3","media":"ear","sdp":"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"}`)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if CheckFields(data) != nil {
			t.Error("nothing stands twice")
		}
	}))
}

// The quick look and the long one say the same of all valid JSON.
func FuzzRepeatedField(f *testing.F) {
	for _, row := range repetitions {
		f.Add([]byte(row.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) || !utf8.Valid(data) {
			return
		}
		name, twice := repeatedField(data)
		if quick, found, sure := repeatedFew(data); sure {
			require.Equal(t, twice, found)
			require.Equal(t, name, quick)
		}
	})
}
