// Package target is what a run is played against: the flags that name it, and the driver that they
// make ([Flags.Connect]). Without a target it is a server of the run's own, or several
// ([Flags.CheckNodes]), each in a child process; workers are told of it by [Flags.Share].
package target
