package whip

import "net/http"

// setCommonHeaders sets the headers of every answer. Any page may use the endpoints:
// nothing here depends on cookies, so a page can do no more than its author could.
// Answers to GET, and some errors, could be cached by default (RFC 9110, section
// 15.1).
func setCommonHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Location, ETag, Link, Accept-Patch, Retry-After")
	h.Set("Cache-Control", "no-store")
}

// options answers OPTIONS, a preflight or not, with 200 (RFC 9725, section 4.2). It
// needs no token: browsers send none with a preflight. The wildcard does not cover
// Authorization in Access-Control-Allow-Headers, so the headers are listed.
func options(w http.ResponseWriter, methods, accept, mediaType string) {
	h := w.Header()
	h.Set("Allow", methods)
	h.Set(accept, mediaType)
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}
