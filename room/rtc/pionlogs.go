package rtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs lets Pion log to slog. Pion warns of much that is part of a day's
// work (a client that left, a packet that came late), so that its warnings
// count as debug messages and only its errors as something to look at.
type pionLogs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (p pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{p.log.With("pion", scope)}
}

type pionLog struct{ log *slog.Logger }

func (p pionLog) put(level slog.Level, msg string) { p.log.Log(context.Background(), level, msg) }

func (p pionLog) putf(level slog.Level, format string, args []any) {
	if p.log.Enabled(context.Background(), level) {
		p.put(level, fmt.Sprintf(format, args...))
	}
}

// Trace and Debug are a message a packet in places: they are never wanted.

func (pionLog) Trace(string)          {}
func (pionLog) Tracef(string, ...any) {}
func (pionLog) Debug(string)          {}
func (pionLog) Debugf(string, ...any) {}

func (p pionLog) Info(msg string)                   { p.put(slog.LevelDebug, msg) }
func (p pionLog) Infof(format string, args ...any)  { p.putf(slog.LevelDebug, format, args) }
func (p pionLog) Warn(msg string)                   { p.put(slog.LevelDebug, msg) }
func (p pionLog) Warnf(format string, args ...any)  { p.putf(slog.LevelDebug, format, args) }
func (p pionLog) Error(msg string)                  { p.put(slog.LevelWarn, msg) }
func (p pionLog) Errorf(format string, args ...any) { p.putf(slog.LevelWarn, format, args) }
