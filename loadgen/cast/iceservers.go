package cast

import (
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// iceServers returns what gives Pion clients a driver's ICE servers.
func iceServers(c driver.Capabilities) func() []webrtc.ICEServer {
	return func() (servers []webrtc.ICEServer) {
		if c.ICEServers == nil {
			return nil
		}
		for _, s := range c.ICEServers() {
			servers = append(servers, webrtc.ICEServer{URLs: []string{s.URL}, Username: s.Username, Credential: s.Credential})
		}
		return servers
	}
}
