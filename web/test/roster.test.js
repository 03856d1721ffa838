import assert from "node:assert/strict";
import { test } from "node:test";
import { Roster } from "../app/roster.js";

const ada = { member: "a", name: "Ada", role: "host", talker: 1, muted: false };
const bo = { member: "b", name: "Bo", role: "speaker", talker: 2, muted: true };

function seated(more = {}) {
  const roster = new Roster();
  roster.joined({
    type: "joined", room: "lobby", member: "m", role: "listener", talker: 9, slots: 3, audience: 4, stage: [ada], talkers: [],
    rev: 7, rules: { hands: "everyone", self_unmute: false, visibility: "open" }, resume: { key: "k", window_s: 20 }, ...more,
  });
  return roster;
}

test("presence is applied by member: who came, who changed, who went", () => {
  const roster = seated();
  assert.deepEqual(roster.presence({ audience: 5, rev: 8, stage_changes: [bo] }), { came: [bo], went: [] });
  assert.deepEqual(roster.presence({ audience: 5, stage_changes: [{ ...bo, muted: false }] }), { came: [], went: [] });
  assert.equal(roster.find("b").muted, false);
  const { went } = roster.presence({ audience: 5, stage_changes: [{ ...ada, gone: true }] });
  assert.equal(went[0].name, "Ada");
  assert.deepEqual(roster.stage.map((m) => m.name), ["Bo"]);
  assert.equal(roster.rev, 8);
});

test("the last host to leave is known until another comes", () => {
  const roster = seated({ stage: [ada, bo] });
  roster.presence({ audience: 5, stage_changes: [{ ...ada, gone: true }] });
  assert.equal(roster.lastHost, "Ada");
  roster.presence({ audience: 5, stage_changes: [{ ...bo, role: "host" }] });
  assert.equal(roster.lastHost, "");
});

test("hands stay as they are when a presence does not speak of them", () => {
  const roster = seated({ role: "host", hands: [{ member: "c", name: "Cy" }], hand_count: 1 });
  roster.presence({ audience: 5 });
  assert.equal(roster.handCount, 1);
  roster.presence({ audience: 5, hands: [], hand_count: 0 });
  assert.equal(roster.handCount, 0);
});

test("a resumed session catches up by changes, or takes the whole stage", () => {
  const roster = seated();
  roster.handUp = true;
  roster.resumed({ ...seated(), type: "resumed", member: "m", role: "listener", stage: undefined, stage_changes: [bo], audience: 6, rev: 9 });
  assert.deepEqual(roster.stage.map((m) => m.name), ["Ada", "Bo"]);
  assert.equal(roster.handUp, true, "a hand that was up stays up");
  roster.resumed({ ...seated(), type: "resumed", member: "m", role: "speaker", stage: [bo], audience: 6, rev: 12 });
  assert.deepEqual(roster.stage.map((m) => m.name), ["Bo"]);
  assert.equal(roster.handUp, false, "on stage there is no hand to raise");
});

test("those in the audience see their hall, those on stage the total", () => {
  const roster = seated({ audience: 100, hall: 1 });
  assert.equal(roster.listeners, 100);
  roster.became("speaker");
  roster.presence({ audience: 100, total: 5000 });
  assert.equal(roster.listeners, 5000);
  roster.presence({ audience: 0 });
  assert.equal(roster.listeners, 0, "a total that is missing is none");
});
