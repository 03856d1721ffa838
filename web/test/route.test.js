import assert from "node:assert/strict";
import { test } from "node:test";
import { read, write } from "../app/route.js";

for (const [why, hash, want] of /** @type {[string, string, object][]} */ ([
  ["no fragment is the first page", "", { at: "home" }],
  ["so is an empty one", "#/", { at: "home" }],
  ["a room", "#/r/late-night", { at: "room", room: "late-night" }],
  ["a room's id may end in a full stop", "#/r/end.", { at: "room", room: "end." }],
  ["an invite", "#/i/Ab_c-", { at: "invite", code: "Ab_c-" }],
  ["an invite at the end of a sentence", "#/i/Ab_c.", { at: "invite", code: "Ab_c" }],
  ["in brackets and quotes", "#/i/Ab_c”)", { at: "invite", code: "Ab_c" }],
  ["with a space after it", "#/i/Ab_c%20", { at: "invite", code: "Ab_c" }],
  ["with a slash at its end", "#/i/Ab_c/", { at: "invite", code: "Ab_c" }],
  ["a plan", "#/p/plan,", { at: "plan", plan: "plan" }],
  ["a request to host a plan", "#/h/plan.code!", { at: "cohost", plan: "plan", code: "code" }],
  ["a link that was cut off", "#/i/", { at: "nowhere" }],
  ["of which only the punctuation is left", "#/i/%20.", { at: "nowhere" }],
  ["a kind of page that there is not", "#/x/abc", { at: "nowhere" }],
  ["what cannot be decoded", "#/r/%E0%A4%A", { at: "nowhere" }],
  ["a path too many", "#/r/a/b", { at: "nowhere" }],
])) {
  test(`${why}: ${hash}`, () => assert.deepEqual(read(hash), want));
}

test("what is written is read again", () => {
  for (const to of /** @type {import("../app/route.js").Route[]} */ ([{ at: "room", room: "a b/ü" }, { at: "invite", code: "x" }, { at: "plan", plan: "p" }, { at: "cohost", plan: "p", code: "c" }, { at: "home" }])) {
    assert.deepEqual(read(write(to)), to);
  }
});
