import assert from "node:assert/strict";
import { test } from "node:test";
import { withNack } from "../app/ear.js";

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
