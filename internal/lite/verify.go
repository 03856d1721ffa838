package lite

// Verifier recognises authentic ICE checks. The zero value is ready; any
// goroutine may use it.
type Verifier struct{ hmacs stunHMACPool }

// Authentic reports whether a datagram is a Binding request whose
// MESSAGE-INTEGRITY was made with the password of the side that it is for (RFC
// 8445, section 7.2.2). It allocates nothing and changes nothing.
func (v *Verifier) Authentic(datagram []byte, password string) bool {
	var m stunMessage
	if !m.parse(datagram) || m.kind != bindingRequest {
		return false
	}
	h := v.hmacs.get()
	defer v.hmacs.put(h)
	return m.authentic(h, password)
}
