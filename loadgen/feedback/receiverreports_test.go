package feedback

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func reported(t *testing.T, r *ReceiverReports, now time.Duration) *rtcp.ReceiverReport {
	t.Helper()
	b, err := r.Build(now)
	require.NoError(t, err)
	require.NotNil(t, b)
	all, err := rtcp.Unmarshal(b)
	require.NoError(t, err)
	require.Len(t, all, 1)
	rr, ok := all[0].(*rtcp.ReceiverReport)
	require.True(t, ok)
	return rr
}

func TestReceiverReportCountsReceivedAndLost(t *testing.T) {
	r := &ReceiverReports{}
	b, err := r.Build(0)
	require.NoError(t, err)
	assert.Nil(t, b, "nothing came")

	for i := range uint64(100) {
		if i%10 == 5 {
			continue // one in ten is lost
		}
		r.Receive(0, 7, 65_500+i, uint32(i)*960, time.Duration(i)*20*time.Millisecond)
	}
	sr, err := (&rtcp.SenderReport{SSRC: 7, NTPTime: 0x1122334455667788}).Marshal()
	require.NoError(t, err)
	r.HandleRTCP(sr, 2*time.Second)
	first := reported(t, r, 3*time.Second)
	require.Len(t, first.Reports, 1)
	block := first.Reports[0]
	assert.EqualValues(t, 7, block.SSRC)
	assert.EqualValues(t, 65_599, block.LastSequenceNumber, "with the rollover count")
	assert.EqualValues(t, 10, block.TotalLost)
	assert.EqualValues(t, 10*256/100, block.FractionLost)
	assert.EqualValues(t, 0x33445566, block.LastSenderReport)
	assert.EqualValues(t, 65536, block.Delay, "a second")
	assert.Zero(t, block.Jitter)

	for i := uint64(100); i < 150; i++ {
		r.Receive(0, 7, 65_500+i, uint32(i)*960, time.Duration(i)*20*time.Millisecond)
	}
	second := reported(t, r, 4*time.Second).Reports[0]
	assert.Zero(t, second.FractionLost, "nothing since the last report")
	assert.EqualValues(t, 10, second.TotalLost)
	assert.Equal(t, first.SSRC, reported(t, r, 5*time.Second).SSRC)
}
