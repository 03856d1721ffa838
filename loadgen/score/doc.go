// Package score says how much what was heard sounds like what was said: a score from 1 to
// 5 by the method of ViSQOL for speech.
//
// ViSQOL compares the two as an ear hears them: by the energy in 21 bands that are as wide
// as those of the ear (gammatone filters), every 20 ms. What was said is cut into patches of
// 400 ms; for each the place in what was heard is searched for that is most like it, so
// delays do not matter, nor that they change. How alike two patches are is their neurogram
// similarity (NSIM), and the mean over all makes the score.
//
//   - A. Hines, J. Skoglund, A. Kokaram, N. Harte, "ViSQOL: an objective speech quality
//     model", EURASIP Journal on Audio, Speech, and Music Processing 2015:13
//   - M. Chinen, F. Lim, J. Skoglund, N. Gureev, F. O'Gorman, A. Hines, "ViSQOL v3: An Open
//     Source Production Ready Objective Speech and Audio Metric", QoMEX 2020
//
// A [Player] makes what was heard of the packets that came, as a jitter buffer plays them.
// A [Player] is for one goroutine at a time, and the package starts none.
package score
