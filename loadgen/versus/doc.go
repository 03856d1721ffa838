// Package versus plays one scenario against several targets in turn and sets their
// figures side by side, as ratios to the first target's. How a target is played
// against is the caller's: the package knows names and reports.
//
// It compares single runs. To tell a difference from noise, loadgen/compare needs
// several runs of each side.
package versus
