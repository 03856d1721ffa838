package client

// SharesSockets means that a socket can have many local addresses (IP_PKTINFO).
const SharesSockets = true
