// Package front is where clients come in: it tells who they are if a proxy is in
// between, by the headers Forwarded (RFC 7239) and X-Forwarded-For or by the PROXY
// protocol, and bounds how many connections there are at once.
//
// [Proxies] are the addresses whose word is taken. Nothing is believed that somebody
// else may have written, and what cannot be told apart is refused.
package front
