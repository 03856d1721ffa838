// Package clock bounds how far the clock of one machine is ahead of another's, all run
// long, so that times taken on different machines can be compared.
//
// A [Follower] asks the other machine five times a second what its clock shows. The
// other reads its clock after the question was sent and before the answer came, so each
// exchange proves an interval in which the [Offset] lies, however the round trip was
// shared between the two ways. It is as wide as the round trip. Between exchanges the
// clocks may drift, by [MaxDrift] at most: that much wider is what an exchange says of
// other moments. The offset at a moment is what all exchanges around it allow.
//
// Two exchanges that exclude one another, however far apart in time, prove that the
// assumption of [MaxDrift] is broken: a clock was stepped, a machine slept, a clock runs
// wrong. Then there is no offset any more, but an error. So there is when the other
// machine does not answer. Nothing is guessed.
//
// What is compared are clocks that are not stepped with the wall clock, such as
// the clock of a run. Where both machines' kernels know how far their wall clocks are
// from UTC at most, that is a second proof. It is used together with the first, and if
// the two exclude one another there is no offset.
package clock
