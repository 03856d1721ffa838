// Package serverprocess runs the server of a load test in a child process, so
// that the CPU and memory of server and generator can be measured apart.
//
// A [Process] is started by [Start] and stopped by Close; it also stops by itself
// when the parent dies, because its standard input then ends. A [Launcher] keeps
// the priority of the server above that of the generator. The package knows
// nothing of earshot but the form of a ready line, which holds the server's URL.
package serverprocess
