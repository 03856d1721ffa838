// Package capacity searches for the largest load that a server bears: it plays
// one step after the other, each with a load of its own, and closes in on the
// load between the last that passes and the first that does not.
//
// A step that is invalid is no step that fails: it says that the generator, and
// not the server, was at its limit, and so does the search.
package capacity
