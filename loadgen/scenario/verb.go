package scenario

import (
	"slices"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// A Verb is what an [Event] makes people do, or what the room's moderator does to
// them.
type Verb string

const (
	RaiseHand     Verb = "raise-hand"
	LowerHand     Verb = "lower-hand"
	Promote       Verb = "promote"
	Demote        Verb = "demote"
	Mute          Verb = "mute"
	Unmute        Verb = "unmute"
	Leave         Verb = "leave"
	End           Verb = "end"
	InviteToStage Verb = "invite-to-stage"
	AcceptStage   Verb = "accept-stage"
	DeclineStage  Verb = "decline-stage"
	PassHost      Verb = "pass-host"
	Kick          Verb = "kick"
	Ban           Verb = "ban"
	Reconnect     Verb = "reconnect"
	RestartICE    Verb = "ice-restart"
	InviteGuest   Verb = "invite-guest"
	KillNode      Verb = "kill-node"
	RestartNode   Verb = "restart-node"
)

// An Actor is who asks the server for what a verb does.
type Actor string

const (
	// Themselves is the person whom the verb is about.
	Themselves Actor = "themselves"
	// Moderator is the room's moderator.
	Moderator Actor = "moderator"
)

// A State is a set of conditions that a person can be in.
type State uint8

const (
	HandRaised State = 1 << iota
	Invited          // to the stage, without an answer yet
	Publishing       // with an open mic
	Muted            // by the moderator
)

// A VerbSpec is all that is fixed about a verb. Parsing, validation, the JSON
// Schema, the table of docs/scenario.md and the run read it.
type VerbSpec struct {
	Verb Verb
	// Help says what happens, for docs.
	Help  string
	Actor Actor
	// Who is the roles of the people whom the verb can be about. A verb that is
	// about the room (OfRoom) picks nobody, and Who is only what a file may write.
	Who    []Role
	OfRoom bool
	// OfNode verbs are about a server that the run has started itself. They pick nobody either.
	OfNode bool
	// MaxCount bounds the count of a verb of the room; 0 is no bound.
	MaxCount int
	// Local verbs need no signaling: any driver can play them.
	Local bool

	// Needs is what a person has to be in to be picked, and Lacks what they must
	// not be in. Sets and Clears is what changes.
	Needs, Lacks, Sets, Clears State
	// Becomes is the role afterwards; "" is the one before.
	Becomes Role
	// Marked verbs are also for servers that mix or transcode ([CheckMarker]).
	Marked bool
	// CrowdOnly: probes can't play it.
	CrowdOnly bool
	// Silences: nothing that they send may be heard after the acknowledgement.
	// Removes: they are out of the room as well.
	Silences, Removes bool
}

// OpensMic reports whether people come on stage.
func (s VerbSpec) OpensMic() bool { return s.Becomes != "" && s.Becomes != Listener }

var everybody = []Role{Speaker, Listener, Host}

// verbs is all of them, in the order in which messages and docs list them.
var verbs = []VerbSpec{
	{
		Verb: RaiseHand, Actor: Themselves, Who: []Role{Listener}, Lacks: HandRaised, Sets: HandRaised,
		Help: "they ask for the stage",
	},
	{
		Verb: LowerHand, Actor: Themselves, Who: []Role{Listener}, Needs: HandRaised, Clears: HandRaised,
		Help: "they take their raised hand down",
	},
	{
		Verb: Promote, Actor: Moderator, Who: []Role{Listener}, Becomes: Speaker, Clears: HandRaised | Invited,
		Help: "they come on stage as speakers and open a mic",
	},
	{
		Verb: Demote, Actor: Moderator, Who: []Role{Speaker, Host}, Becomes: Listener, Silences: true,
		Help: "they go back to the audience and their mic is closed",
	},
	{
		Verb: Mute, Actor: Moderator, Who: []Role{Speaker, Host}, Needs: Publishing, Lacks: Muted, Sets: Muted, Silences: true, Marked: true,
		Help: "their mic is muted",
	},
	{
		Verb: Unmute, Actor: Moderator, Who: []Role{Speaker, Host}, Needs: Publishing | Muted, Clears: Muted, Marked: true,
		Help: "their mic can be heard again",
	},
	{
		Verb: Leave, Actor: Themselves, Who: everybody, Local: true,
		Help: "they leave; no packets are due to them any more",
	},
	{
		Verb: End, Actor: Moderator, Who: []Role{Host}, OfRoom: true, MaxCount: 1, Marked: true,
		Help: "the room ends for everybody",
	},
	{
		Verb: InviteToStage, Actor: Moderator, Who: []Role{Listener}, Lacks: Invited, Sets: Invited,
		Help: "the moderator invites them to the stage, and a place is reserved for each",
	},
	{
		Verb: AcceptStage, Actor: Themselves, Who: []Role{Listener}, Needs: Invited, Becomes: Speaker, Clears: HandRaised | Invited,
		Help: "they accept an invitation: they come on stage and open a mic",
	},
	{
		Verb: DeclineStage, Actor: Themselves, Who: []Role{Listener}, Needs: Invited, Clears: Invited,
		Help: "they decline an invitation and stay in the audience",
	},
	{
		Verb: PassHost, Actor: Moderator, Who: []Role{Listener, Speaker}, Becomes: Host, Clears: HandRaised | Invited,
		Help: "the moderator makes them host; they moderate the timeline from then on",
	},
	{
		Verb: Kick, Actor: Moderator, Who: everybody, Silences: true, Removes: true, Marked: true,
		Help: "they are removed; no packets are due to them any more",
	},
	{
		Verb: Ban, Actor: Moderator, Who: everybody, Silences: true, Removes: true,
		Help: "they are removed and may not come back; no packets are due to them any more",
	},
	{
		Verb: Reconnect, Actor: Themselves, Who: []Role{Speaker, Listener},
		Help: "their WebSocket is cut, and they resume on a new one; their ear stays open",
	},
	{
		Verb: RestartICE, Actor: Themselves, Who: []Role{Listener}, CrowdOnly: true, Marked: true,
		Help: "they restart ICE, as a browser does whose network has changed; their ear stays open and goes on. Probes do not",
	},
	{
		Verb: InviteGuest, Actor: Moderator, Who: []Role{Host}, OfRoom: true, MaxCount: wire.DefaultStage,
		Help: "`count` people from outside get an invite to the stage, valid for 5 s, and never come",
	},
	{
		Verb: KillNode, Who: []Role{Host}, OfRoom: true, OfNode: true, Local: true,
		Help: "the server `node` is killed (SIGKILL), of those that `earshot run --nodes` has started. It does not come back",
	},
	{
		Verb: RestartNode, Who: []Role{Host}, OfRoom: true, OfNode: true, Local: true,
		Help: "the server `node` is stopped (SIGTERM) and started again, of those that `earshot run --nodes` has started",
	},
}

// Verbs lists every verb. The caller owns the slice.
func Verbs() []VerbSpec { return slices.Clone(verbs) }

// Spec is the verb's row of the table; the zero VerbSpec if there is none.
func (v Verb) Spec() VerbSpec {
	for _, spec := range verbs {
		if spec.Verb == v {
			return spec
		}
	}
	return VerbSpec{}
}

// verbNames is the verbs as a file writes them.
func verbNames() []Verb {
	names := make([]Verb, len(verbs))
	for i, spec := range verbs {
		names[i] = spec.Verb
	}
	return names
}
