// Package compare judges whether the runs of a new version are worse than those of a
// base, by more than a limit. It has three outcomes: worse, within the limit, and
// unclear, when the runs are too few or too noisy to decide.
//
// Figures that have a threshold are judged; all others are shown. Runs are the samples:
// within one run, packets are not independent, since what differs from run to run (the
// machine's other work, scheduling) is the same for all of them. A figure is compared by
// the ratio of new to base. Its interval comes from a permutation test: if the sides did
// not differ, every way of dividing the runs into two sides would be equally likely.
// Figures are called worse by the max-T procedure of Westfall and Young, so that the
// chance of a false alarm in any of them is at most 5 %, and within the limit only if
// each is by itself (an intersection-union test). Runs that were played in turn are
// paired.
//
// Shares and counters are pooled over the runs of a side, and so are the histograms of
// quantiles for which one run has too few samples. A figure in doubt (see
// loadgen/report) is taken at the end that speaks against the call: for worse, the new
// side at its best and the base at its worst.
//
// The package keeps no state, and its functions may be called concurrently.
package compare
