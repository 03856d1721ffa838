package loadgen

import (
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/pion/webrtc/v4"
)

// iceServersOf is what gives a driver's ICE servers to the clients.
func iceServersOf(d driver.Driver) func() []webrtc.ICEServer {
	named, ok := d.(interface{ ICEServers() []driver.ICEServer })
	if !ok {
		return func() []webrtc.ICEServer { return nil }
	}
	return func() (servers []webrtc.ICEServer) {
		for _, s := range named.ICEServers() {
			servers = append(servers, webrtc.ICEServer{URLs: []string{s.URL}, Username: s.Username, Credential: s.Credential})
		}
		return servers
	}
}
