import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { when } from "../app/language.js";
import "./english.js";

// The process's time zone is set when it starts.
const inZone = (zone, local) =>
  execFileSync(process.execPath, ["--input-type=module", "-e", `import { withOffset } from "./app/when.js"; process.stdout.write(withOffset(${JSON.stringify(local)}))`], {
    cwd: new URL("..", import.meta.url),
    env: { ...process.env, TZ: zone },
    encoding: "utf8",
  });

test("a planned time has the offset of its day, not of today", () => {
  for (const [zone, local, want] of [
    ["Europe/Berlin", "2026-12-04T20:00", "2026-12-04T20:00:00+01:00"],
    ["Europe/Berlin", "2026-07-04T20:00", "2026-07-04T20:00:00+02:00"],
    ["America/St_Johns", "2026-12-04T20:00", "2026-12-04T20:00:00-03:30"],
    ["Asia/Kolkata", "2026-12-04T00:10", "2026-12-04T00:10:00+05:30"],
    ["Europe/Berlin", "2026-03-29T02:30", "2026-03-29T03:30:00+02:00"], // which the clocks skip
    ["UTC", "2026-12-04T20:00", "2026-12-04T20:00:00+00:00"],
    ["UTC", "", ""],
  ]) {
    assert.equal(inZone(zone, local), want, `${zone} ${local}`);
  }
});

test("a time is shown by the visitor's clock, with its zone", () => {
  const time = new Date("2026-12-04T20:00:00+01:00");
  assert.match(when(time, "Europe/Berlin"), /Friday.* 4 December.* 20:00 (CET|GMT\+1)/);
  assert.match(when(time, "Asia/Tokyo"), /Saturday.* 5 December.* 04:00 (JST|GMT\+9)/);
});
