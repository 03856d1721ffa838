package room

import "errors"

// The reasons for which a room refuses a call. Returned errors wrap exactly one
// of these and add whom it concerned; use errors.Is.
var (
	// ErrConfig is New's answer to a configuration that makes no room.
	ErrConfig = errors.New("room configuration is invalid")
	// ErrEnded: the room has ended; nothing happens in it any more.
	ErrEnded = errors.New("room has ended")
	// ErrFull: every audience seat is taken.
	ErrFull = errors.New("audience is full")
	// ErrStageFull: every place on stage is taken.
	ErrStageFull = errors.New("stage is full")
	// ErrNotMember: the actor or the person acted on is not in the room.
	ErrNotMember = errors.New("not in the room")
	// ErrAlreadyMember: someone with this id is in the room.
	ErrAlreadyMember = errors.New("already in the room")
	// ErrForbidden: the actor's role does not allow it.
	ErrForbidden = errors.New("not allowed")
	// ErrNotOnStage: it can only be done to someone on stage.
	ErrNotOnStage = errors.New("not on stage")
	// ErrOnStage: it can only be done to someone in the audience, or to someone
	// in a lower role.
	ErrOnStage = errors.New("already on stage")
	// ErrHidden: for this person the room must look as if it did not exist.
	ErrHidden = errors.New("there is no such room")
	// ErrBlocked: the person was removed or banned.
	ErrBlocked = errors.New("put out of this room")
	// ErrRemembered: the room remembers as many people as it can.
	ErrRemembered = errors.New("the room cannot remember more people")
	// ErrHandPolicy: the hand policy does not let this person raise a hand.
	ErrHandPolicy = errors.New("hands may not be raised")
	// ErrNotInvited: no invitation to the stage waits for an answer.
	ErrNotInvited = errors.New("not invited to the stage")
	// ErrMediaOnly: the person has no signaling, and so can't be invited to the
	// stage, be host, or reconnect.
	ErrMediaOnly = errors.New("has no signaling")
	// ErrRole: the role is not one that the call can give.
	ErrRole = errors.New("role is not valid here")
	// ErrID: the empty id cannot be anyone's in the room.
	ErrID = errors.New("member id is empty")
	// ErrTime: the call was given the zero time, in which no event can lie.
	ErrTime = errors.New("time is zero")
)
