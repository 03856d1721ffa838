package scenario

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

func threshold(t testing.TB, name, expression string) metric.Threshold {
	th, err := metric.ParseThreshold(name, expression)
	require.NoError(t, err)
	return th
}

const whole = `# A comment.
name: everything there is
rooms: 2
room: {capacity: 300, slots: 2}
cast:
  - {role: host, count: 1}
  - role: speaker
    count: 4
    audio: [audio/a.ogg, /b.ogg]
    turns: {talk: 8s, overlap: 2}
  - {role: listener, count: 200, arrive: {within: 1m30s, shape: s-curve}, sections: 1}
  - {role: listener, count: 100, audio: audio/a.ogg}
timeline:
  - {at: 5s, who: listener, count: 50, do: raise-hand}
  - {at: 6s, who: listener, do: promote}
  - {at: 30s, do: end}
hold: 30s
join_deadline: 2.5s
seed: -7
thresholds:
  latency: ["p(99) < 20ms", "max < 1s"]
  delivered: rate >= 0.9999
`

func TestParse(t *testing.T) {
	s, err := Parse("dir/whole.yaml", []byte(whole))
	require.NoError(t, err)
	assert.Equal(t, &Scenario{
		Name:  "everything there is",
		Rooms: 2,
		Room:  RoomSpec{Capacity: 300, Halls: 1, Slots: 2},
		Cast: []Group{
			{Role: Host, Count: 1},
			{Role: Speaker, Count: 4, Audio: []string{"dir/audio/a.ogg", "/b.ogg"}, Turns: &Turns{Talk: Duration(8 * time.Second), Overlap: 2}},
			{Role: Listener, Count: 200, Arrive: Arrivals{Within: Duration(90 * time.Second), Shape: SCurve}, Sections: 1},
			{Role: Listener, Count: 100, Audio: []string{"dir/audio/a.ogg"}},
		},
		Timeline: []Event{
			{At: Duration(5 * time.Second), Who: Listener, Count: 50, Do: RaiseHand},
			{At: Duration(6 * time.Second), Who: Listener, Count: 1, Do: Promote},
			{At: Duration(30 * time.Second), Who: Host, Count: 1, Do: End},
		},
		Hold:         Duration(30 * time.Second),
		JoinDeadline: Duration(2500 * time.Millisecond),
		AudioCheck:   CheckPackets,
		Seed:         -7,
		Thresholds: []metric.Threshold{
			threshold(t, "latency", "p(99) < 20ms"), threshold(t, "latency", "max < 1s"), threshold(t, "delivered", "rate >= 0.9999"),
		},
	}, s)
	assert.NoError(t, s.Validate())
	assert.Equal(t, 300, s.Listeners())
}

func TestDefaults(t *testing.T) {
	s, err := Parse("x.yaml", []byte("name: x\nhold: 1s\ncast:\n- {role: speaker, count: 1, audio: a.ogg, turns: {talk: 1s}}\n- {role: listener, count: 9, arrive: {within: 1s}}"))
	require.NoError(t, err)
	assert.Equal(t, 1, s.Rooms)
	assert.Equal(t, RoomSpec{Capacity: 9, Halls: 1, Slots: 3}, s.Room, "a seat for each listener")
	assert.Equal(t, Duration(10*time.Second), s.JoinDeadline)
	assert.EqualValues(t, 1, s.Seed)
	assert.Equal(t, 1, s.Cast[0].Turns.Overlap)
	assert.Equal(t, Linear, s.Cast[1].Arrive.Shape)
	assert.Empty(t, s.Warnings)
}

func TestParseFollowsAnchors(t *testing.T) {
	s, err := Parse("x.yaml", []byte("name: x\nhold: &long 9s\njoin_deadline: *long\ncast:\n- &one {role: listener, count: 9}\n- *one"))
	require.NoError(t, err)
	assert.Equal(t, s.Hold, s.JoinDeadline)
	assert.Equal(t, 18, s.Listeners())
}

// bad is files with one mistake each: where it is, what is said of it, and
// whether the schema sees it, too.
var bad = map[string]struct {
	src     string
	at, err string
	schema  bool
}{
	"nothing":                         {"", "1:1", "the scenario is empty", false},
	"only a comment":                  {"# soon\n", "1:1", "the scenario is empty", false},
	"no YAML":                         {"name: [", "1:7", "sequence end token ']' not found", false},
	"brackets without end":            {"name: " + strings.Repeat("[", 200_000), "1:39", "nested deeper", false},
	"a megabyte":                      {good + strings.Repeat("# a\n", 1<<18), "1:1", "the largest has 1048576", false},
	"a list":                          {"- 1\n- 2", "1:1", "a scenario must be fields and their values, and is a list", true},
	"a text":                          {"smoke", "1:1", `a scenario must be fields and their values, and is the text "smoke"`, true},
	"two documents":                   {good + "---\nname: y\n", "7:1", "a second document begins", false},
	"an unknown field":                {good + "holdd: 3s", "6:1", `a scenario has no field "holdd": it has name, rooms, room`, true},
	"an unknown field of a room":      {good + "room: {seats: 3}", "6:8", `room has no field "seats": it has capacity, halls, slots`, true},
	"a key that is a number":          {good + "7: 3s", "6:1", "a scenario has no field 7", true},
	"a merge key":                     {good + "<<: {seed: 3}", "6:1", "a scenario has no field <<", false},
	"a duplicate key":                 {good + "name: y", "6:1", `"name" already defined at [1:1]`, false},
	"a duplicate key in a flow":       {good + "room: {slots: 1, slots: 2}", "6:18", `"slots" already defined at [6:8]`, false},
	"a tag":                           {good + "seed: !!str 3", "6:7", "tags like !!str have no meaning", true},
	"an alias of nothing":             {good + "seed: *none", "6:7", `there is no anchor "none"`, false},
	"a field without a value":         {good + "seed:", "6:1", "seed has no value: give it one, or leave it out", true},
	"a field that is null":            {good + "seed: null", "6:1", "seed has no value", true},
	"no name":                         {edit("name: x", ""), "2:1", "a scenario needs the field name", true},
	"no hold":                         {edit("hold: 9s", ""), "1:1", "a scenario needs the field hold", true},
	"no cast":                         {"name: x\nhold: 9s", "1:1", "a scenario needs the field cast", true},
	"a name that is a number":         {edit("name: x", "name: 7"), "1:7", "name must be text, and is the number 7", true},
	"an empty name":                   {edit("name: x", `name: " "`), "1:7", "name is empty", true},
	"a name of two lines":             {edit("name: x", `name: "a\nb"`), "1:7", `name "a\nb" has characters that can't be printed`, false},
	"a name without an end":           {edit("name: x", "name: "+strings.Repeat("x", 201)), "1:7", "name is longer than 200 characters", true},
	"no rooms":                        {good + "rooms: 0", "6:8", "rooms is 0: the smallest is 1", true},
	"too many rooms":                  {good + "rooms: 10001", "6:8", "rooms is 10001: the largest is 10000", true},
	"rooms beyond all numbers":        {good + "rooms: 18446744073709551615", "6:8", "rooms is 18446744073709551615: the largest is 10000", true},
	"half a room":                     {good + "rooms: 1.5", "6:8", "rooms must be a whole number, and is the number 1.5", true},
	"rooms in quotes":                 {good + `rooms: "2"`, "6:8", `rooms must be a whole number, and is the text "2"`, true},
	"a truth for a number":            {good + "rooms: true", "6:8", "rooms must be a whole number, and is true", true},
	"no seats":                        {good + "room: {capacity: 0}", "6:18", "capacity is 0: the smallest is 1", true},
	"too many slots":                  {good + "room: {slots: 9}", "6:15", "slots is 9: the largest is 8", true},
	"packets held for too long":       {good + "room: {audience_hold: 201ms}", "6:23", "audience_hold is 201ms: it is a number of milliseconds, 200ms at most", false},
	"packets held for half a moment":  {good + "room: {audience_hold: 0.5ms}", "6:23", "audience_hold is 500µs: it is a number of milliseconds, 200ms at most", false},
	"more seats than a hall can have": {good + "room: {capacity: 100001}", "6:18", "capacity is 100001: the largest is 100000", true},
	"an empty cast":                   {"name: x\nhold: 9s\ncast: []", "3:7", "cast is an empty list", true},
	"a cast that is no list":          {"name: x\nhold: 9s\ncast: {role: host}", "3:8", "cast must be a list, and is fields and values", true},
	"a part without a role":           {edit("role: listener, ", ""), "5:6", "an entry of the cast needs the field role", true},
	"a part without a count":          {edit(", count: 9", ""), "5:6", "an entry of the cast needs the field count", true},
	"an unknown role":                 {edit("role: listener", "role: listner"), "5:12", `role is "listner": it can be speaker, listener, host`, true},
	"a negative count":                {edit("count: 9", "count: -9"), "5:29", "count is -9: the smallest is 1", true},
	"a speaker with nothing to say":   {edit(", audio: a.ogg", ""), "4:6", "speakers need audio", true},
	"an empty list of audio":          {edit("audio: a.ogg", "audio: []"), "4:38", "audio is an empty list", true},
	"audio that is empty":             {edit("audio: a.ogg", `audio: [a.ogg, ""]`), "4:46", "audio is empty", true},
	"a speaker who arrives":           {edit("audio: a.ogg", "audio: a.ogg, arrive: {within: 3s}"), "4:54", "arrive is for listeners: a speaker is there before the first of them", false},
	"arrivals without a time":         {edit("count: 9", "count: 9, arrive: {shape: linear}"), "5:41", "arrive needs the field within", true},
	"arrivals of nothing":             {edit("count: 9", "count: 9, arrive: {}"), "5:40", "arrive needs the field within", true},
	"an unknown shape":                {edit("count: 9", "count: 9, arrive: {within: 3s, shape: sigmoid}"), "5:60", `shape is "sigmoid": it can be linear, poisson, s-curve, burst`, true},
	"a listener who takes turns":      {edit("count: 9", "count: 9, turns: {talk: 3s}"), "5:40", "turns are for speakers and hosts who have audio", true},
	"a silent host taking turns":      {edit("role: listener", "role: host, turns: {talk: 3s}"), "5:26", "turns are for speakers and hosts who have audio", true},
	"turns without a length":          {edit("audio: a.ogg", "audio: a.ogg, turns: {overlap: 1}"), "4:53", "turns needs the field talk", true},
	"turns too short":                 {edit("audio: a.ogg", "audio: a.ogg, turns: {talk: 199ms}"), "4:59", "talk is 199ms: it can be 200ms to 24h0m0s", false},
	"an overlap of more than all":     {edit("audio: a.ogg", "audio: a.ogg, turns: {talk: 1s, overlap: 2}"), "4:72", "overlap is 2: from 1 to all 1 can talk at the same time", false},
	"more sections than slots":        {edit("count: 9", "count: 9, sections: 4"), "5:42", "sections is 4: the largest is 3", false},
	"more people than can be":         {edit("count: 9", "count: 1000000"), "4:3", "the rooms hold 1000001 people in all", false},
	"a hold without a unit":           {edit("hold: 9s", "hold: 9"), "2:7", "hold is 9 without a unit: write it like 9s", true},
	"a hold in days":                  {edit("hold: 9s", "hold: 1d"), "2:7", `hold: "1d" is no duration: write a number with a unit, like 500ms, 10s or 1m30s`, true},
	"a negative hold":                 {edit("hold: 9s", "hold: -9s"), "2:7", `hold: "-9s" is no duration`, true},
	"a hold of nothing":               {edit("hold: 9s", "hold: 0s"), "2:7", "hold is 0s, and nothing would be measured", false},
	"a hold of two days":              {edit("hold: 9s", "hold: 48h"), "2:7", "hold: 48h is longer than 24h0m0s", false},
	"a hold that overflows":           {edit("hold: 9s", "hold: 9999999999h"), "2:7", "is no duration", false},
	"an unknown audio check":          {good + "audio_check: ears", "6:14", `audio_check is "ears": it can be packets, marker`, true},
	"marks and moderation":            {good + "audio_check: marker\ntimeline: [{at: 1s, who: listener, do: raise-hand}]", "7:40", "raise-hand is not for them", false},
	"marks and a mic that opens":      {good + "audio_check: marker\ntimeline: [{at: 1s, who: listener, do: promote}]", "7:40", "promote is not for them", false},
	"a score that is not measured":    {good + "thresholds: {audio_score: [min > 4]}", "6:28", "audio_score is not measured: give the scenario audio_score: true", false},
	"a score of a half":               {good + "audio_score: 0.5", "6:14", "audio_score must be true or false", true},
	"no time to join":                 {good + "join_deadline: 0s", "6:16", "join_deadline is 0s, and nobody could join", false},
	"an empty timeline":               {good + "timeline: []", "6:11", "timeline is an empty list", true},
	"an event without a time":         {good + "timeline: [{who: listener, do: leave}]", "6:13", "an entry of the timeline needs the field at", true},
	"an event of nobody":              {good + "timeline: [{at: 1s, do: leave}]", "6:13", "an entry of the timeline needs the field who", true},
	"an event of nothing":             {good + "timeline: [{at: 1s, who: listener}]", "6:13", "an entry of the timeline needs the field do", true},
	"an unknown verb":                 {good + "timeline: [{at: 1s, who: listener, do: dance}]", "6:40", `do is "dance": it can be raise-hand`, true},
	"a speaker's raised hand":         {good + "timeline: [{at: 1s, who: speaker, do: raise-hand}]", "6:26", `who is "speaker": raise-hand is for listener`, true},
	"a muted listener":                {good + "timeline: [{at: 1s, who: listener, do: mute}]", "6:26", `who is "listener": mute is for speaker, host`, true},
	"a listener's end":                {good + "timeline: [{at: 1s, who: listener, do: end}]", "6:26", `who is "listener": end is for host`, true},
	"a double end":                    {good + "timeline: [{at: 1s, count: 2, do: end}]", "6:28", "count is 2: a room ends once", true},
	"more hands than listeners":       {good + "timeline: [{at: 1s, who: listener, count: 10, do: raise-hand}]", "6:43", "count is 10: a room has at most 9 with the role of listener then", false},
	"an event after the end":          {good + "timeline: [{at: 10s, who: listener, do: leave}]", "6:17", "at is 10s, outside of the hold of 9s", false},
	"an event without a unit":         {good + "timeline: [{at: 1, who: listener, do: leave}]", "6:17", "at is 1 without a unit", true},
	"a promotion to silence":          {"name: x\nhold: 9s\ncast: [{role: listener, count: 9}]\ntimeline: [{at: 1s, who: listener, do: promote}]", "4:13", "a promoted listener has nothing to say", false},
	"thresholds in a list":            {good + "thresholds: [joined]", "6:13", "thresholds must be fields and their values, and is a list", true},
	"a misspelt metric":               {good + "thresholds:\n  latncy: ['p(99) < 20ms']", "7:3", `unknown metric "latncy": did you mean latency?`, true},
	"a metric without conditions":     {good + "thresholds: {latency: []}", "6:23", "latency is an empty list", true},
	"a condition without a unit":      {good + "thresholds:\n  latency:\n    - max < 3s\n    - p(99) < 20", "9:7", `threshold "p(99) < 20" of latency: latency is a duration and needs a unit, as in 20ms`, true},
	"a condition of another kind":     {good + "thresholds: {delivered: 'p(99) > 0.5'}", "6:25", "p(99) does not fit delivered, which is a rate", true},
	"a condition that is a number":    {good + "thresholds: {delivered: 0.9}", "6:25", "a threshold of delivered must be text, and is the number 0.9", true},
	"a rate in percent":               {good + "thresholds: {delivered: 'rate > 99'}", "6:25", "a rate is a number from 0 to 1, not 99", true},
	"a rate of too much":              {good + "thresholds: {delivered: 'rate > 1.01'}", "6:25", "a rate is a number from 0 to 1, not 1.01", true},
	"a percentile beyond all":         {good + "thresholds: {latency: 'p(100.5) > 1s'}", "6:23", "is no percentile", true},
	"a counter's rate":                {good + "thresholds: {duplicates: 'rate < 0.1'}", "6:26", "rate does not fit duplicates, which is a counter: use count", true},
	"a gauge's count":                 {good + "thresholds: {server_cpu: 'count < 2'}", "6:26", "count does not fit server_cpu", true},
	"memory in seconds":               {good + "thresholds: {server_rss: 'value < 2s'}", "6:26", `unknown unit "s" of bytes`, true},
	"a phase that there is not":       {good + "thresholds:\n  latency{phase:stedy}: p(99) < 1s", "7:3", `there is no phase "stedy": there are arrivals, steady, and those that the timeline names`, false},
	"departures of nobody":            {good + "thresholds:\n  delivered{phase:departures}: rate == 1", "7:3", "there is no phase departures: give a group of listeners the field depart", false},
	"a warm-up that there is not":     {good + "thresholds:\n  delivered{phase:warm_up}: rate == 1", "7:3", "there is no phase warm_up: give the scenario the field warm_up", false},
	"a network that there is not":     {good + "thresholds:\n  latency{network:3g}: p(99) < 1s", "7:3", `there is no network "3g": no group of the cast has one`, false},
	"another network":                 {edit("count: 9", "count: 9, network: 4g") + "thresholds:\n  latency{network:3g}: p(99) < 1s", "7:3", `there is no network "3g": the cast has 4g`, false},
	"a role that there is not":        {good + "thresholds:\n  latency{role:guest}: p(99) < 1s", "7:3", `there is no role "guest": there are speaker, listener, host`, false},
	"a role that nobody has":          {good + "thresholds:\n  latency{role:host}: p(99) < 1s", "7:3", "nobody is cast as host", false},
	"a misspelt key of a selector":    {good + "thresholds:\n  latency{fase:steady}: p(99) < 1s", "7:3", `unknown key "fase": did you mean phase?`, true},
	"a phase of a listener's figure":  {good + "thresholds:\n  mos{phase:steady}: avg > 4", "7:3", "mos is not kept by phase: only delivered, latency, server_cpu, server_rss are", true},
	"a network of a server's figure":  {good + "thresholds:\n  server_cpu{network:3g}: value < 4", "7:3", "server_cpu is not kept by network, transport, role or node: only joined, ", true},
	"a window that does not fit":      {good + "thresholds:\n  latency: p(99) < 1s over 10s", "7:12", "a window of 10s does not fit: there are 9s to measure in", false},
	"a window of half a second":       {good + "thresholds:\n  latency: p(99) < 1s over 500ms", "7:12", "a window of 500ms: it can have whole seconds from 1s to 10m0s", false},
	"a window of one figure":          {good + "thresholds:\n  jitter: avg < 4ms over 3s", "7:11", "jitter is not kept over time: only delivered, latency, mos, server_cpu, server_rss are", true},
	"a long threshold of nothing":     {good + "thresholds:\n  latency: {abort_on_fail: true}", "7:13", "a threshold of latency needs the field threshold", true},
	"a long threshold of too much":    {good + "thresholds:\n  latency: {threshold: max < 1s, abortOnFail: true}", "7:34", `a threshold of latency has no field "abortOnFail": it has threshold, abort_on_fail, delay`, true},
	"an abort by text":                {good + "thresholds:\n  latency: {threshold: max < 1s, abort_on_fail: soon}", "7:49", "abort_on_fail must be true or false", true},
	"a delay of nothing":              {good + "thresholds:\n  latency: {threshold: max < 1s, delay: 3s}", "7:41", "delay is how long abort_on_fail waits", true},
	"an abort that comes too late":    {good + "thresholds:\n  mos: {threshold: avg > 4, abort_on_fail: true}", "7:9", "abort_on_fail: mos is known at the end of a run", true},
	"an abort of what only rises":     {good + "thresholds:\n  latency: {threshold: count > 100, abort_on_fail: true}", "7:13", "abort_on_fail: a count only rises", false},
	"a warm-up as long as the hold":   {good + "warm_up: 9s", "6:10", "warm_up is 9s: it is a part of the hold, which is 9s", false},
	"a speaker who departs":           {edit("audio: a.ogg", "audio: a.ogg, depart: {within: 3s}"), "4:54", "depart is for listeners: a speaker is there to the last of them", true},
	"departures without a time":       {edit("count: 9", "count: 9, depart: {shape: linear}"), "5:41", "depart needs the field within", true},
	"a span without an end in time":   {good + "timeline: [{at: 2s, name: storm, for: 8s}]", "6:39", "storm lasts until 10s, beyond the hold of 9s", false},
	"a span of no time":               {good + "timeline: [{at: 9s, name: storm}]", "6:27", "storm begins at the end of the hold", false},
	"a span's name twice":             {good + "timeline: [{at: 2s, name: a}, {at: 3s, name: a}]", "6:46", `the name "a" is taken`, false},
	"a span with a phase's name":      {good + "timeline: [{at: 2s, name: steady}]", "6:27", `the name "steady" is taken`, false},
	"a span's name with a space":      {good + "timeline: [{at: 2s, name: a b}]", "6:27", `name is "a b": it can have 40 letters`, true},
	"a length of no span":             {good + "timeline: [{at: 2s, who: listener, do: leave, for: 3s}]", "6:52", "for is how long a name lasts", true},
	"a span of somebody":              {good + "timeline: [{at: 2s, name: a, who: listener}]", "6:13", "an entry of the timeline has who and nothing to do", true},
	"a score with a unit":             {good + "thresholds: {mos: 'avg > 4ms'}", "6:19", "is a plain number", true},
}

const good = `name: x
hold: 9s
cast:
  - {role: speaker, count: 1, audio: a.ogg}
  - {role: listener, count: 9}
`

// edit is the good file with one text replaced.
func edit(old, with string) string {
	if !strings.Contains(good, old) {
		panic("there is no " + old)
	}
	return strings.Replace(good, old, with, 1)
}

func TestParseRefuses(t *testing.T) {
	_, err := Parse("good.yaml", []byte(good))
	require.NoError(t, err)
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			s, err := Parse("bad.yaml", []byte(tt.src))
			require.Error(t, err)
			assert.Nil(t, s)
			assert.ErrorContains(t, err, "bad.yaml:"+tt.at)
			assert.ErrorContains(t, err, tt.err)
			var e *Error
			assert.True(t, errors.As(err, &e))
		})
	}
}

func TestParseErrorsShowTheSource(t *testing.T) {
	_, err := Parse("bad.yaml", []byte(edit("count: 9", "count: 0")))
	assert.EqualError(t, err, `bad.yaml:5:29: count is 0: the smallest is 1
   2 | hold: 9s
   3 | cast:
   4 |   - {role: speaker, count: 1, audio: a.ogg}
>  5 |   - {role: listener, count: 0}
                                   ^`)
}

func TestParseReportsAllMistakesInOrder(t *testing.T) {
	_, err := Parse("bad.yaml", []byte("thresholds: {mos: avg}\nhold: 3\ncast: [{role: x, count: 0}]"))
	require.Error(t, err)
	var places []string
	for line := range strings.Lines(err.Error()) {
		if place, found := strings.CutPrefix(line, "bad.yaml:"); found {
			places = append(places, place[:3])
		}
	}
	assert.Equal(t, []string{"1:1", "1:1", "2:7", "3:1", "3:2"}, places)
}

// What people count in is decimal: other forms are read differently by different readers.
func TestNumbersAreDecimal(t *testing.T) {
	for _, number := range []string{"010", "0x10", "0o10", "0b10", "1_000", "-010"} {
		_, err := Parse("x.yaml", []byte(edit("count: 9", "count: "+number)))
		assert.ErrorContains(t, err, "x.yaml:5:29: count is "+number+": it is no decimal number", number)
		_, err = Parse("x.yaml", []byte(good+"seed: "+number+"\n"))
		assert.ErrorContains(t, err, "seed is "+number+": it is no decimal number", number)
	}
	for _, share := range []string{"00.1", "0x1", "01"} {
		_, err := Parse("x.yaml", []byte(edit("count: 9", "count: 9, network: {loss: "+share+"}")))
		assert.ErrorContains(t, err, "loss is "+share+": it is no decimal number", share)
	}
	for src, place := range map[string]string{
		edit("hold: 9s", "hold: 010s"):                                                            `x.yaml:2:7: hold: "010s"`,
		edit("hold: 9s", "hold: 1m05s"):                                                           `x.yaml:2:7: hold: "1m05s"`,
		edit("hold: 9s", "hold: 010"):                                                             `x.yaml:2:7: hold is 010`,
		good + "join_deadline: 00s\n":                                                             `x.yaml:6:16: join_deadline: "00s"`,
		edit("count: 9", "count: 9, network: {delay: 030ms}"):                                     `delay: "030ms"`,
		edit("count: 9", "count: 9, network: {bandwidth: 064kbps}"):                               `bandwidth is "064kbps"`,
		edit("count: 9", "count: 9, arrive: {within: 01s}"):                                       `within: "01s"`,
		good + "thresholds: {latency: 'p(99) < 020ms'}\n":                                         `x.yaml:6:23: threshold "p(99) < 020ms" of latency: 020`,
		good + "thresholds: {latency: 'p(099) < 20ms'}\n":                                         `x.yaml:6:23: threshold "p(099) < 20ms" of latency: p(099)`,
		good + "thresholds: {delivered: 'rate > 00.9'}\n":                                         `x.yaml:6:25: threshold "rate > 00.9" of delivered: 00.9`,
		good + "thresholds: {delivered: 'rate > 0.9 over 010s'}\n":                                `x.yaml:6:25: threshold "rate > 0.9 over 010s" of delivered: 010s`,
		good + "thresholds: {delivered: {threshold: 'count > 07'}}\n":                             `threshold "count > 07" of delivered: 07`,
		good + "thresholds: {joined: {threshold: rate > 0.1, abort_on_fail: true, delay: 05s}}\n": `delay: "05s"`,
	} {
		_, err := Parse("x.yaml", []byte(src))
		assert.ErrorContains(t, err, place, src)
		assert.ErrorContains(t, err, "it is no decimal number: write it like 10", src)
	}
	for name, src := range map[string]string{
		"a count":                   edit("count: 9", "count: 10"),
		"no seed":                   good + "seed: 0\n",
		"a seed below":              good + "seed: -1\n",
		"a share":                   edit("count: 9", "count: 9, network: {loss: 0.05}"),
		"a share that is all of it": edit("count: 9", "count: 9, network: {loss: 1}"),
		"a share without its zero":  edit("count: 9", "count: 9, network: {loss: .5}"),
	} {
		_, err := Parse("x.yaml", []byte(src))
		assert.NoError(t, err, name)
	}
}

func TestTextIsUTF8(t *testing.T) {
	_, err := Parse("x.yaml", []byte("\ufeff"+good))
	require.NoError(t, err, "a byte order mark is no part of the text")
	for name, c := range map[string]struct{ src, want string }{
		"UTF-16":                {"\xff\xfen\x00a\x00m\x00e\x00", "x.yaml:1:1: the text is in UTF-16 (little-endian): save it as UTF-8"},
		"Latin-1, in a comment": {good + "# caf\xe9\n", ":6: the text is in Latin-1 or another encoding (byte 0xE9 is not UTF-8): save it as UTF-8"},
	} {
		_, err := Parse("x.yaml", []byte(c.src))
		assert.ErrorContains(t, err, c.want, name)
	}
}

func TestWarnings(t *testing.T) {
	for name, tt := range map[string]struct{ src, warning string }{
		"fewer seats than listeners":       {good + "room: {capacity: 7}", "x.yaml:6:18: capacity is 7 and 9 listeners are cast: 2 of them will be refused"},
		"more people than places on stage": {edit("role: speaker, count: 1, audio: a.ogg", "role: speaker, count: 25, audio: a.ogg"), "with these, 25 people are cast for the stage, and a room of earshot's server has 20 places"},
		"nobody listens or speaks":         {strings.Replace(edit("  - {role: listener, count: 9}\n", ""), "role: speaker, count: 1, audio: a.ogg", "role: host, count: 1", 1), "x.yaml:4:3: nobody listens, and nobody on stage has audio"},
		"nobody speaks":                    {edit("  - {role: speaker, count: 1, audio: a.ogg}\n", ""), "x.yaml:4:3: nobody on stage has audio"},
		"a slow burst":                     {edit("count: 9", "count: 9, arrive: {within: 3s, shape: burst}"), "x.yaml:5:49: a burst comes all at once: within 3s has no effect"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse("x.yaml", []byte(tt.src))
			require.NoError(t, err)
			require.Len(t, s.Warnings, 1)
			assert.Contains(t, s.Warnings[0], tt.warning)
		})
	}
}

func TestLoadChecksTheRecordings(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bad.yaml")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.ogg"), []byte("RIFF and so on and so on and so on"), 0o600))
	require.NoError(t, os.WriteFile(path, []byte(edit("audio: a.ogg", "audio: [a.ogg, b.ogg, a.ogg]")), 0o600))
	_, err := Load(path)
	assert.ErrorContains(t, err, path+":4:39: audio "+filepath.Join(dir, "a.ogg")+": it is a RIFF file")
	assert.ErrorContains(t, err, path+":4:46: open audio: ")
	assert.ErrorIs(t, err, os.ErrNotExist)

	_, err = Load(filepath.Join(dir, "none.yaml"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestLoadWarnsOfRecordingsThatHideMixUps(t *testing.T) {
	dir := t.TempDir()
	testaudio.WriteShort(t, dir) // speech.ogg, of a few seconds
	for _, c := range []struct {
		sentence, audio, more string
		warns                 bool
	}{
		{"several rooms with a short recording", "speech.ogg", "rooms: 3", true},
		{"one room", "speech.ogg", "", false},
		{"a long recording", "builtin:speech", "rooms: 3", false},
		{"marked audio", "speech.ogg", "rooms: 3\naudio_check: marker", false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			path := filepath.Join(dir, "s.yaml")
			require.NoError(t, os.WriteFile(path, []byte(edit("audio: a.ogg", "audio: "+c.audio)+c.more+"\n"), 0o600))
			s, err := Load(path)
			require.NoError(t, err)
			if !c.warns {
				assert.Empty(t, s.Warnings)
				return
			}
			require.Len(t, s.Warnings, 1)
			assert.Contains(t, s.Warnings[0], ":4:38: 3 rooms play the same recording of ")
			assert.Contains(t, s.Warnings[0], "if the server mixes rooms up, the run may take it for late packets; take one of more than 10s, or set audio_check: marker")
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add(good)
	f.Add("x: &x [*x]\nname: *x\nhold: 3s\ncast: [*x]")
	f.Add(good + "timeline: [{at: 2s, name: a, for: 3s}]\nwarm_up: 1s\nthresholds: {'delivered{phase:a}': [{threshold: 'rate > 0 over 2s', abort_on_fail: true}]}")
	f.Add("name: &a x\ncast: *a\nhold: !!str 3\n---\n- ? {}\n")
	for _, tt := range bad {
		f.Add(tt.src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		s, err := Parse("fuzz.yaml", []byte(src))
		if err != nil {
			require.Nil(t, s)
			require.NotEmpty(t, err.Error())
			return
		}
		require.NoError(t, s.Validate())
		if more, err := s.WithListeners(s.Listeners() + 1); err == nil {
			require.Equal(t, s.Listeners()+1, more.Listeners())
		}
	})
}

func TestSpeakersArriveWhereNobodyListens(t *testing.T) {
	s, err := Parse("x.yaml", []byte(strings.Replace(edit("  - {role: listener, count: 9}\n", ""), "audio: a.ogg", "audio: a.ogg, arrive: {within: 3s}", 1)))
	require.NoError(t, err)
	assert.Empty(t, s.Warnings)
	assert.Equal(t, Duration(3*time.Second), s.Cast[0].Arrive.Within)
}
