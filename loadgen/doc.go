// Package loadgen plays a scenario against a server and measures what every listener
// receives.
//
// [Run] does it: it opens the rooms, brings the cast in, plays the timeline and returns
// a [Result]. Of several processes each has [RunWorker], and package coordinator holds them
// together. Packages below it have the parts: scoreboard what a run is asked for and comes to, cast the people and their rooms, driver the
// server's signaling, client the WebRTC endpoints, netem the emulated networks, host the
// machine, measure the accounts of packets, tally and usage what is counted beside them,
// link what workers say to one another, metric the figures. It never imports the server's
// packages.
//
// A run starts goroutines for its people, rooms and timeline, and waits for all of them
// before it returns. The caller owns the Result.
package loadgen
