// Package neteq models NetEQ, the adaptive jitter buffer of WebRTC, as far as it
// decides what a listener hears: which frames it plays, how long it waits for
// them, and how much sound it has to invent.
//
// The model follows the decision logic of libwebrtc (modules/audio_coding/neteq:
// decision_logic.cc, delay_manager.cc, underrun_optimizer.cc,
// reorder_optimizer.cc, packet_arrival_history.cc) with its default
// configuration. It works on time stamps alone and decodes nothing. What depends
// on the signal is a constant here: how much sound one time-stretching operation
// adds or removes, and how soon a concealment has faded.
//
// The package imports nothing of the project. A [Buffer] is for one goroutine at
// a time, and starts none.
package neteq
