package network

// A Repair is what a person's clients offer against packets that are lost. The empty Repair
// is the default: NACK on a simulated network, and else none.
type Repair string

const (
	RepairNone       Repair = "none"
	RepairNACK       Repair = "nack"     // what is missed is asked for again (RFC 4585)
	RepairRED        Repair = "red"      // packets hold the frame before as well (RFC 2198)
	RepairNACKAndRED Repair = "nack+red" // both
)

// Repairs returns all that can be asked for.
func Repairs() []Repair { return []Repair{RepairNone, RepairNACK, RepairRED, RepairNACKAndRED} }

// NACK reports whether what is missed is asked for again.
func (r Repair) NACK() bool { return r == RepairNACK || r == RepairNACKAndRED }

// RED reports whether packets hold the frame before as well.
func (r Repair) RED() bool { return r == RepairRED || r == RepairNACKAndRED }
