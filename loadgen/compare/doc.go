// Package compare tells what changed between the runs of two versions, and
// whether it is more than noise: runs of each side are samples, medians are
// compared, and the Mann-Whitney U test says how likely chance alone is. The
// statistics and the manners are those of golang.org/x/perf's benchstat.
//
// Within one run, packets are no independent samples: what differs from run to
// run (the machine's other work, the scheduler's luck) is the same for all of
// them. So one run a side can't be told from noise, and the package says so
// instead of testing packets against packets.
package compare
