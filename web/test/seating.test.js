import assert from "node:assert/strict";
import { test } from "node:test";
import { Seating } from "../app/seating.js";

const stage = Array.from({ length: 12 }, (_, i) => ({ member: `m${i}`, name: `N${i}`, role: "speaker", talker: i + 1, muted: false }));
const names = (list) => list.map((m) => m.member);

test("who talks comes forward if they are out of sight, and only then", () => {
  const seating = new Seating();
  const says = (id) => (m) => m.member === id;
  assert.equal(seating.heard(stage, says("m2"), 0), false);
  assert.equal(seating.heard(stage, says("m2"), 5000), false, "they are in sight");
  assert.equal(seating.heard(stage, says("m10"), 6000), false, "a cough");
  assert.equal(seating.heard(stage, says("m10"), 6900), true);
  const arranged = seating.arrange(stage, true);
  assert.equal(arranged[0].member, "m10");
  assert.deepEqual(names(arranged.slice(1, 4)), ["m0", "m1", "m2"], "the others keep their order");
  assert.equal(seating.heard(arranged, says("m10"), 9000), false, "nobody jumps about");
  assert.deepEqual(names(seating.arrange(stage, false)), names(stage), "a wide screen shows all seats");
  assert.deepEqual(names(seating.arrange(stage.slice(4, 12), true)), names(stage.slice(4, 12)), "eight are all in sight");
});
