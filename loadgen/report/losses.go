package report

import (
	"fmt"

	"github.com/earshot-audio/earshot/loadgen/tally"
)

// A lossesSummary is where packets were lost.
type lossesSummary struct {
	Due          uint64       `json:"due" jsonschema:"Packets that the listeners who got in were due."`
	Lost         uint64       `json:"lost" jsonschema:"How many of them did not come."`
	Uplink       rangeSummary `json:"uplink" jsonschema:"Lost on the way from the mics to the server, as its receiver reports tell."`
	Server       rangeSummary `json:"server" jsonschema:"Lost within the server: it did not say that it missed them, nor that it sent them."`
	Downlink     rangeSummary `json:"downlink" jsonschema:"Lost on the way to the listeners, as its sender reports tell."`
	Generator    rangeSummary `json:"generator" jsonschema:"Dropped by the generator's sockets and its machine."`
	Mics         int          `json:"mics"`
	MicsReported int          `json:"mics_reported" jsonschema:"Mics on which the server sent receiver reports that can be true."`
	Ears         int          `json:"ears" jsonschema:"Listeners who got in."`
	EarsReported int          `json:"ears_reported" jsonschema:"Listeners to whom the server sent sender reports that can be true."`
}

// A rangeSummary is a number of packets that is not known exactly.
type rangeSummary struct {
	Least uint64 `json:"least"`
	Most  uint64 `json:"most"`
}

func summarizeLosses(l tally.Losses) *lossesSummary {
	if l.Lost == 0 {
		return nil
	}
	return &lossesSummary{
		Due: l.Due, Lost: l.Lost, Uplink: rangeSummary(l.Uplink), Server: rangeSummary(l.Server), Downlink: rangeSummary(l.Downlink),
		Generator: rangeSummary(l.Generator), Mics: l.Mics, MicsReported: l.MicsReported, Ears: l.Ears, EarsReported: l.EarsReported,
	}
}

// lossesText says where packets were lost, or nothing if none were, or if the server does not
// say.
func lossesText(l tally.Losses) string {
	if l.Lost == 0 || l.MicsReported == 0 && l.EarsReported == 0 {
		return ""
	}
	share := func(r tally.Range) string {
		least, most := percent(float64(r.Least)/float64(l.Due)), percent(float64(r.Most)/float64(l.Due))
		if least == most {
			return least
		}
		return least + "…" + most
	}
	return fmt.Sprintf("uplink %s, server %s, downlink %s, generator %s; by reports on %d of %s and to %s of %s",
		share(l.Uplink), share(l.Server), share(l.Downlink), share(l.Generator),
		l.MicsReported, count(l.Mics, "mic"), thousands(uint64(l.EarsReported)), count(l.Ears, "listener"))
}
