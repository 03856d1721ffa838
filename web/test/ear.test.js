import assert from "node:assert/strict";
import { test } from "node:test";
import { onlyLoopback, withNack } from "../app/ear.js";

const section = ["m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 useinbandfec=1", "a=rtpmap:63 red/48000/2"];

test("every section of an offer asks for lost Opus again, and for nothing else", () => {
  const sdp = ["v=0", ...section, ...section, ""].join("\r\n");
  const lines = withNack(sdp).split("\r\n");
  assert.equal(lines.filter((l) => l === "a=rtcp-fb:111 nack").length, 2);
  assert.equal(lines.filter((l) => l.includes("nack")).length, 2);
  assert.equal(lines[lines.indexOf("a=rtcp-fb:111 nack") - 1], "a=rtpmap:111 opus/48000/2");
  assert.equal(lines.at(-1), "");
});

test("an offer without Opus stays as it is", () => {
  const sdp = ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=rtpmap:0 PCMU/8000", ""].join("\r\n");
  assert.equal(withNack(sdp), sdp);
});

test("a server is only on the loopback if all its candidates are", () => {
  const answer = (/** @type {string[]} */ ...addresses) => addresses.map((a) => `a=candidate:1 1 udp 2130706431 ${a} 7081 typ host\r\n`).join("");
  assert.equal(onlyLoopback(answer("127.0.0.1", "::1")), true);
  assert.equal(onlyLoopback(answer("127.0.0.1", "192.0.2.7")), false);
  assert.equal(onlyLoopback(answer("2001:db8::1")), false);
  assert.equal(onlyLoopback(answer()), false, "what comes later by trickle is not known");
});
