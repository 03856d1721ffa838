package client

// sharing tells that a socket can have many local addresses (IP_PKTINFO).
const SharesSockets = true
