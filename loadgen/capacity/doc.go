// Package capacity searches for the largest load that a server can carry. It plays a
// scenario in steps, each with a load of its own: the load doubles until a step does
// not pass, and a bisection closes in on the limit. One unlucky step must not decide,
// so the two loads next to the limit are played best of three.
//
// An invalid step is not a failed one: the generator, and not the server, was at its
// limit. If the load next to the limit is invalid, so is the search.
//
// The package does not play itself: its caller passes a function that does. It keeps no
// state between searches.
package capacity
