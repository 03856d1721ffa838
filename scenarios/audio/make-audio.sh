#!/bin/sh
# Makes the recordings in this folder from the texts beside it, with Debian's
# espeak-ng (1.51) and opus-tools (0.2). Needs nothing else; takes a few seconds.
set -eu
cd "$(dirname "$0")"
wav=$(mktemp)
trap 'rm -f "$wav" "$wav.txt"' EXIT

# record NAME VOICE WORDS-A-MINUTE PITCH KBIT/S SERIAL
record() {
	espeak-ng -v "$2" -s "$3" -p "$4" -f "$1.txt" -w "$wav"
	# The serial number and the missing padding keep the file the same each time.
	opusenc --quiet --speech --bitrate "$5" --framesize 20 --downmix-mono \
		--serial "$6" --padding 0 "$wav" "$1.ogg"
}

record speech en-gb+m3      165 45 24 1
record host   en-gb-x-rp+f2 170 55 24 2
record guest  en-us+m7      160 40 28 3
record reader en-gb-scotland+f4 150 50 30 4

# One with in-band FEC (SILK's LBRR), for tests and for the table of docs/network.md. opusenc has no option for
# it: 4012 is OPUS_SET_INBAND_FEC, and without it --expect-loss adds no copies.
head -n 3 speech.txt >"$wav.txt"
espeak-ng -v en-gb+m3 -s 165 -p 45 -f "$wav.txt" -w "$wav"
opusenc --quiet --speech --bitrate 24 --framesize 20 --downmix-mono --serial 5 --padding 0 \
	--expect-loss 10 --set-ctl-int 4012=1 "$wav" ../../loadgen/speech/testdata/fec.ogg
