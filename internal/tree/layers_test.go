package tree_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/earshot-audio/earshot/"

// layers lists which packages of the project each package may import. A new
// package needs a row; docs/architecture.md draws them.
var layers = map[string][]string{
	"room":                          {},
	"room/fanout":                   {"internal/prefetch"},
	"room/rtc":                      {"internal/icetcp", "internal/lite", "internal/prefetch", "internal/red", "internal/sdp", "internal/srtp", "room/fanout", "room/mediaport", "room/rtc/loudness"},
	"room/mediaport":                {"internal/icetcp", "internal/lite", "internal/packet", "internal/sdp", "internal/udpbatch"},
	"room/trunk":                    {"room/fanout"},
	"store":                         {"internal/reach", "internal/wholefile", "room", "store/stateserver", "store/ledger", "store/kv"},
	"store/stateserver":             {"internal/wholefile"},
	"store/ledger":                  {},
	"store/kv":                      {"store/stateserver"},
	"cluster":                       {},
	"signaling/nodes":               {"cluster", "room", "room/rtc", "room/trunk", "signaling/apierr", "signaling/auth", "signaling/liveroom", "signaling/wire", "store", "store/stateserver"},
	"signaling/wire":                {"internal/printable"},
	"signaling/ws":                  {"signaling/wire"},
	"signaling/auth":                {"signaling/wire", "store"},
	"signaling/apierr":              {"signaling/wire", "signaling/auth", "room", "room/rtc", "store"},
	"signaling/liveroom":            {"signaling/stagelog", "signaling/timers", "signaling/wire", "signaling/apierr", "room", "room/rtc", "room/fanout", "store"},
	"signaling/stagelog":            {"signaling/wire"},
	"signaling/timers":              {},
	"signaling/access":              {"signaling/wire", "signaling/apierr", "signaling/auth", "signaling/liveroom", "room"},
	"signaling/club":                {"signaling/wire", "signaling/apierr", "signaling/auth", "signaling/access", "signaling/liveroom", "room", "store"},
	"signaling/api":                 {"internal/calendar", "internal/language", "internal/plaintext", "internal/portrait", "internal/qrcode", "signaling/wire", "signaling/apierr", "signaling/auth", "signaling/access", "signaling/club", "signaling/liveroom", "room", "store"},
	"signaling/protocol":            {"signaling/wire", "signaling/ws", "signaling/apierr", "signaling/auth", "signaling/access", "signaling/liveroom", "room", "room/rtc"},
	"signaling/front":               {"signaling/wire"},
	"signaling/whip":                {"signaling/wire", "internal/iceuri", "internal/sdp"},
	"signaling/panel":               {"internal/chart"},
	"signaling":                     {"signaling/wire", "signaling/ws", "signaling/auth", "signaling/apierr", "signaling/liveroom", "signaling/nodes", "signaling/access", "signaling/club", "signaling/api", "signaling/protocol", "signaling/whip", "signaling/panel", "signaling/front", "internal/language", "internal/reach", "internal/sdp", "room", "room/rtc", "store"},
	"loadgen/metric":                {"internal/atomicmax", "internal/decimal", "internal/spelling", "loadgen/histogram"},
	"loadgen/histogram":             {},
	"loadgen/speech":                {"internal/shellword", "scenarios"},
	"loadgen/clock":                 {},
	"loadgen/network":               {},
	"loadgen/ledger":                {"internal/prefetch", "loadgen/doubt", "loadgen/emodel", "loadgen/mark", "loadgen/metric", "loadgen/neteq", "loadgen/record", "loadgen/score", "loadgen/speech", "loadgen/timebase"},
	"loadgen/record":                {"internal/atomicmax", "loadgen/doubt", "loadgen/emodel", "loadgen/metric", "loadgen/timebase"},
	"loadgen/doubt":                 {"internal/atomicmax", "loadgen/timebase"},
	"loadgen/emodel":                {"loadgen/speech", "loadgen/timebase"},
	"loadgen/timebase":              {},
	"loadgen/scenario":              {"internal/decimal", "internal/spelling", "internal/plaintext", "scenarios", "signaling/wire", "loadgen/metric", "loadgen/speech", "loadgen/network"},
	"loadgen/neteq":                 {"internal/prefetch"},
	"loadgen/mark":                  {"loadgen/speech", "internal/fourier"},
	"loadgen/score":                 {"loadgen/neteq", "loadgen/speech", "internal/fourier"},
	"loadgen/netem":                 {"loadgen/network", "loadgen/timebase"},
	"loadgen/host":                  {"internal/udpbatch", "loadgen/process"},
	"loadgen/process":               {},
	"loadgen/meter":                 {"loadgen/process"},
	"loadgen/client":                {"internal/icetcp", "internal/lite", "internal/prefetch", "internal/red", "internal/sdp", "internal/srtp", "internal/udpbatch", "loadgen/feedback", "loadgen/host", "loadgen/netem", "loadgen/network", "loadgen/speech", "loadgen/stamp", "loadgen/timebase", "loadgen/ledger"},
	"loadgen/stamp":                 {"loadgen/timebase"},
	"loadgen/driver":                {"internal/spelling", "internal/reach", "loadgen/scenario", "signaling/wire", "loadgen/meter"},
	"loadgen/driver/earshot":        {"loadgen/driver", "loadgen/scenario", "signaling/wire", "loadgen/meter"},
	"loadgen/driver/whep":           {"loadgen/driver", "loadgen/scenario", "internal/iceuri"},
	"loadgen/driver/janus":          {"internal/sdp", "loadgen/driver", "loadgen/scenario"},
	"loadgen/driver/livekit/signal": {},
	"loadgen/driver/livekit":        {"loadgen/driver", "loadgen/driver/livekit/signal", "loadgen/scenario", "internal/sdp"},
	"loadgen/problem":               {"internal/table", "internal/urltext", "loadgen/driver", "loadgen/scenario"},
	"loadgen/usage":                 {"loadgen/host", "loadgen/problem", "loadgen/record", "loadgen/timebase", "loadgen/meter", "loadgen/process"},
	"loadgen/tally":                 {"loadgen/client", "loadgen/driver", "loadgen/feedback", "loadgen/host", "loadgen/metric", "loadgen/problem", "loadgen/scenario", "loadgen/record", "loadgen/timebase"},
	"loadgen/link":                  {"loadgen/problem", "loadgen/scenario", "loadgen/tally", "loadgen/ledger", "loadgen/record", "loadgen/timebase"},
	"loadgen/cast":                  {"internal/sdp", "loadgen/client", "loadgen/driver", "loadgen/feedback", "loadgen/link", "loadgen/mark", "loadgen/metric", "loadgen/netem", "loadgen/network", "loadgen/problem", "loadgen/scenario", "loadgen/speech", "loadgen/tally", "loadgen/usage", "loadgen/doubt", "loadgen/ledger", "loadgen/record", "loadgen/timebase", "loadgen/share"},
	"loadgen":                       {"loadgen/client", "loadgen/driver", "loadgen/host", "loadgen/metric", "loadgen/network", "loadgen/scenario", "loadgen/problem", "loadgen/usage", "loadgen/tally", "loadgen/link", "loadgen/cast", "loadgen/doubt", "loadgen/ledger", "loadgen/record", "loadgen/timebase", "loadgen/process", "loadgen/scoreboard", "loadgen/share"},
	"loadgen/scoreboard":            {"internal/urltext", "loadgen/cast", "loadgen/client", "loadgen/doubt", "loadgen/driver", "loadgen/host", "loadgen/ledger", "loadgen/link", "loadgen/meter", "loadgen/metric", "loadgen/problem", "loadgen/process", "loadgen/record", "loadgen/scenario", "loadgen/tally", "loadgen/timebase", "loadgen/usage"},
	"loadgen/coordinator":           {"internal/urltext", "loadgen/cast", "loadgen/driver", "loadgen/link", "loadgen/metric", "loadgen/problem", "loadgen/record", "loadgen/scoreboard", "loadgen/tally", "loadgen/timebase", "loadgen/usage"},
	"loadgen/share":                 {"loadgen/scenario"},
	"loadgen/plot":                  {"internal/chart", "loadgen", "loadgen/metric", "loadgen/record"},
	"loadgen/progress":              {"loadgen", "loadgen/report"},
	"loadgen/workers":               {"internal/reach", "loadgen", "loadgen/clock", "loadgen/host", "loadgen/scenario", "loadgen/speech", "loadgen/link", "loadgen/timebase"},
	"loadgen/report":                {"internal/chart", "loadgen", "loadgen/metric", "loadgen/host", "loadgen/problem", "loadgen/usage", "loadgen/tally", "loadgen/doubt", "loadgen/record", "loadgen/plot"},
	"loadgen/figure":                {"loadgen/report", "loadgen/metric"},
	"loadgen/watch":                 {"internal/reach", "loadgen", "loadgen/report", "loadgen/metric", "loadgen/record"},
	"loadgen/push":                  {"internal/printable", "internal/urltext"},
	"loadgen/capacity":              {"internal/spelling", "loadgen", "internal/table", "loadgen/figure", "loadgen/report", "loadgen/scenario", "loadgen/metric", "internal/chart", "loadgen/host"},
	"loadgen/compare":               {"internal/table", "loadgen/figure", "loadgen/report", "loadgen/metric"},
	"internal/endtoend":             {},                                    // tests alone
	"internal/faults":               {"loadgen/speech"},                    // for tests alone
	"internal/faults/server":        {"internal/faults", "loadgen/speech"}, // for tests alone
	"internal/interop":              {},                                    // tests alone
	"internal/browser":              {},                                    // tests alone
	"internal/chromium":             {},                                    // for tests alone
	"internal/firefox":              {},                                    // for tests alone
	"internal/udpproxy":             {},                                    // for tests alone
	"internal/testaudio":            {"loadgen/speech"},                    // for tests alone
	"internal/calm":                 {"loadgen/host"},                      // for tests alone
	"internal/testturn":             {},                                    // for tests alone
	"loadgen/versus":                {"loadgen/figure", "loadgen/report", "internal/table"},
	"internal/operator":             {"internal/reach", "internal/table"},
	"internal/secrets":              {"internal/plaintext"},
	"internal/serverprocess":        {},
	"internal/plaintext":            {},
	"internal/calendar":             {},
	"internal/language":             {},
	"internal/portrait":             {},
	"internal/qrcode":               {},
	"internal/printable":            {},
	"internal/table":                {"internal/printable"},
	"internal/atomicmax":            {},
	"internal/decimal":              {},
	"internal/spelling":             {},
	"internal/urltext":              {},
	"internal/shellword":            {},
	"internal/wholefile":            {},
	"scenarios":                     {"internal/spelling"},
	"internal/packet":               {},
	"internal/fourier":              {},
	"internal/icetcp":               {"internal/packet", "internal/reach"},
	"internal/iceuri":               {},
	"internal/prefetch":             {},
	"internal/hugepages":            {},
	"internal/reach":                {},
	"internal/red":                  {},
	"internal/udpbatch":             {},
	"internal/dtls":                 {},
	"internal/lite":                 {"internal/dtls", "internal/sdp", "internal/srtp", "internal/prefetch"},
	"internal/srtp":                 {"internal/prefetch"},
	"internal/sdp":                  {"internal/plaintext"},
	"internal/chart":                {},
	"internal/tree":                 {},                  // tests alone
	"internal/soak":                 {},                  // tests alone
	"ci":                            {},                  // tests alone
	"internal/lab":                  {"loadgen/network"}, // for tests alone
	"internal/growth":               {"internal/chart", "internal/scale"},
	"internal/scale":                {},
	"web":                           {"internal/language"},
	"cmd/earshot/cli":               {"internal/decimal", "internal/plaintext", "internal/reach", "internal/shellword", "internal/spelling", "internal/urltext", "internal/wholefile"},
	"cmd/earshot/console":           {"cmd/earshot/cli", "internal/operator", "internal/secrets", "internal/table", "internal/urltext"},
	"cmd/earshot/server":            {"cluster", "cmd/earshot/cli", "internal/plaintext", "internal/reach", "internal/secrets", "room/rtc", "signaling", "signaling/front", "signaling/nodes", "store", "store/stateserver", "web"},
	"cmd/earshot/target":            {"cmd/earshot/cli", "internal/decimal", "internal/iceuri", "internal/reach", "internal/serverprocess", "internal/urltext", "loadgen", "loadgen/driver", "loadgen/driver/earshot", "loadgen/driver/janus", "loadgen/driver/livekit", "loadgen/driver/whep", "loadgen/host", "loadgen/network", "loadgen/scenario", "loadgen/versus", "store/stateserver", "loadgen/meter"},
	"loadgen/feedback":              {"internal/prefetch", "loadgen/timebase", "loadgen/ledger"},
	"room/rtc/loudness":             {"room/fanout"},
	"cmd/earshot":                   {"cmd/earshot/cli", "cmd/earshot/console", "cmd/earshot/server", "cmd/earshot/target", "internal/decimal", "internal/hugepages", "internal/printable", "internal/reach", "internal/serverprocess", "internal/shellword", "internal/spelling", "internal/urltext", "internal/wholefile", "loadgen", "loadgen/capacity", "loadgen/compare", "loadgen/driver", "loadgen/host", "loadgen/metric", "loadgen/push", "loadgen/report", "loadgen/scenario", "loadgen/versus", "loadgen/watch", "loadgen/workers", "scenarios", "loadgen/coordinator", "loadgen/progress"},
}

// foreign lists what a package may not even import indirectly: sockets, JSON and
// WebRTC, for the rules and the wire format.
var foreign = map[string][]string{
	"room":           {"net", "net/http", "encoding/json", "github.com/pion/"},
	"room/fanout":    {"net", "net/http", "encoding/json", "github.com/pion/webrtc"},
	"signaling/wire": {"github.com/pion/", "github.com/gorilla/"},
	"signaling/ws":   {"github.com/pion/"},
}

func list(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestPackagesImportOnlyTheirLayers(t *testing.T) {
	for _, line := range list(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		path, imports, _ := strings.Cut(line, " ")
		name, ours := strings.CutPrefix(path, module)
		require.True(t, ours, "%s is not in %s", path, module)
		allowed, known := layers[name]
		if !assert.True(t, known, "package %s has no row in layers", name) {
			continue
		}
		var used []string
		for _, i := range strings.Fields(imports) {
			if i, ours := strings.CutPrefix(i, module); ours {
				used = append(used, i)
				assert.Contains(t, allowed, i, "package %s may not import %s", name, i)
			}
		}
		for _, i := range allowed {
			assert.Contains(t, used, i, "package %s does not import %s: take it out of its row", name, i)
		}
	}
}

func TestLoadReachesNothingOfTheServer(t *testing.T) {
	deps := list(t, "-deps", "./loadgen/...")
	for _, d := range deps {
		name, ours := strings.CutPrefix(d, module)
		if ours && name != "signaling/wire" {
			assert.False(t, under(name, "room") || under(name, "signaling") || under(name, "store"), "the load reaches %s", name)
		}
	}
	assert.Contains(t, deps, module+"signaling/wire")
}

func TestRulesReachNoSocketsJSONOrWebRTC(t *testing.T) {
	for name, banned := range foreign {
		deps := list(t, "-deps", "./"+name)
		for _, b := range banned {
			assert.False(t, slices.ContainsFunc(deps, func(d string) bool {
				return d == b || strings.HasSuffix(b, "/") && strings.HasPrefix(d, b)
			}), "%s reaches %s", name, b)
		}
	}
}
