// Package push sends the figures of a run, while it goes on and when it has ended, to
// those who store them: by the Prometheus remote-write protocol and by OTLP, the protocol
// of OpenTelemetry. What a receiver does with them never changes a run: a push that
// fails is counted, and the next one has newer figures.
package push
