package nodes

// AdoptLater makes a room of this node here, as after a claim from a node that may be back.
func (n *Nodes) AdoptLater(id, owner string) { n.adoptLater(id, owner) }

// IsAdopting reports whether a room will be made here.
func (n *Nodes) IsAdopting(id string) bool { return n.isAdopting(id) }

// Has reports whether a room is here.
func (n *Nodes) Has(id string) bool { return n.rooms.Has(id) }
