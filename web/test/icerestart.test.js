import assert from "node:assert/strict";
import { test } from "node:test";
import { fragmentOf, restarted } from "../app/icerestart.js";

const section = (mid, ufrag) => [
  "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", `a=ice-ufrag:${ufrag}`, `a=ice-pwd:password-of-${ufrag}`, "a=fingerprint:sha-256 AA", `a=mid:${mid}`,
];
const sdp = (...lines) => ["v=0", "s=-", ...lines, ""].join("\r\n");

test("the fragment of a restart has the credentials and the first section", () => {
  assert.equal(
    fragmentOf(sdp(...section("0", "new"), ...section("1", "new"))),
    "a=ice-ufrag:new\r\na=ice-pwd:password-of-new\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",
  );
});

test("credentials of the whole session count, too", () => {
  const text = fragmentOf(sdp("a=ice-ufrag:all", "a=ice-pwd:secret", "m=audio 9 X 1", "a=mid:a"));
  assert.match(text, /^a=ice-ufrag:all\r\na=ice-pwd:secret\r\n/);
});

test("the answer to a restart has the server's new credentials, and is as before otherwise", () => {
  const before = sdp(...section("0", "old"), ...section("1", "old"));
  assert.equal(restarted(before, "a=ice-lite\r\na=ice-ufrag:new\r\na=ice-pwd:password-of-new\r\n"), sdp(...section("0", "new"), ...section("1", "new")));
  assert.throws(() => restarted(before, "a=ice-lite\r\n"));
});
