package wire

import "time"

// Version is the protocol version a client states in [Hello]. It changes only
// when an old client could misread a message; new fields and new server message
// types do not change it, and clients ignore the ones they do not know.
const Version = 1

// Limits of what a message may hold. Decoding refuses what exceeds them.
const (
	// MaxMessage is the longest message in bytes, in either direction.
	MaxMessage = 128 << 10
	// MaxDepth is how deeply objects and arrays may nest.
	MaxDepth = 16
	// MaxID is the longest request id in bytes.
	MaxID = 64
	// MaxName is the longest name of a person in runes.
	MaxName = 80
	// MaxRoom is the longest room id in bytes (see [ValidRoom]).
	MaxRoom = 64
	// MaxMember is the longest member id in bytes.
	MaxMember = 64
	// MaxNode is the longest id of a cluster's node in bytes.
	MaxNode = 64
	// MaxKey is the longest key of a [Ticket] in bytes.
	MaxKey = 128
	// MaxToken is the longest session token in bytes.
	MaxToken = 4096
	// MaxSDP is the longest session description in bytes.
	MaxSDP = 32 << 10
	// MaxHands is how many raised hands a message lists, the oldest first;
	// hand_count is how many there are.
	MaxHands = 50
	// MaxAudience is how many people of the audience a message lists.
	MaxAudience = 60
	// MaxText is the longest text of an error, or of another field meant for
	// people, in bytes.
	MaxText = 1024
)

// Limits of what the creator of a room may ask for. The server refuses more, and a
// scenario that asks for more is refused before it runs.
const (
	// MaxSlots is the most voices that a room passes on at once.
	MaxSlots = 8
	// MaxAudienceHold is the longest that the audience's packets may wait for others.
	MaxAudienceHold = 200 * time.Millisecond
	// MaxStage is the most places of a stage, and DefaultStage what it has if
	// nobody asks.
	MaxStage     = 100
	DefaultStage = 20
	// MaxCapacity is the most audience seats of one hall.
	MaxCapacity = 100_000
	// MaxHalls is the most halls of a room.
	MaxHalls = 100
	// MaxRooms is the most rooms of a server that is not configured otherwise.
	MaxRooms = 10_000
	// MaxRoomsByAccount is the most rooms of a member at once, on a server that is not
	// configured otherwise.
	MaxRoomsByAccount = 20
	// MaxPlans is the most planned rooms of a server, and MaxPlansByAccount of a member.
	MaxPlans          = 10_000
	MaxPlansByAccount = 20
	// MaxPlanHosts is how many host a planned room beside the member who planned it.
	MaxPlanHosts = 5
	// MaxPlanAhead is how far ahead a room can be planned, and MaxPlanLength how long
	// for. DefaultPlanLength is how long it is if nobody says.
	MaxPlanAhead      = 366 * 24 * time.Hour
	MaxPlanLength     = 24 * time.Hour
	DefaultPlanLength = time.Hour
	// MaxMembers is the most members of a club that is not configured otherwise.
	MaxMembers = 100_000
	// MaxLiveInvites is the most invites to a room that are good at once, but for the
	// operator's.
	MaxLiveInvites = 1_000
)

// Defaults of what the creator of a room leaves out.
const (
	DefaultSlots    = 3
	DefaultCapacity = 10_000
)
