// Package feedback is what the two ends of a stream tell each other over RTCP about packets that
// were lost: a listener's requests for them ([NACKTracker]) and its receiver reports
// ([ReceiverReports]), and the server's reports on a mic ([UpstreamReports]).
//
// It sends and receives nothing itself.
package feedback
