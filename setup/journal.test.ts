import { expect, test } from "vitest";
import { Journal } from "./journal.ts";

test("who breaks off learns what stays on the cluster", () => {
  const journal = new Journal();
  expect(journal.text).toBe("Nothing was written.");
  journal.made("user golden@pve", "token golden@pve!home");
  expect(journal.text).toBe(
    "No stack file was written. Made on the cluster, and left there: user golden@pve, token golden@pve!home.",
  );
  journal.unmade("token golden@pve!home");
  expect(journal.text).toContain(
    "left there: user golden@pve. Deleted again, for its secret is lost: token golden@pve!home.",
  );
  journal.isDone = true;
  expect(journal.text).toContain("The stack is written");
});

test("what the error tells already is not told otherwise", () => {
  const journal = new Journal();
  journal.isTold = true;
  expect(journal.text).toBe("No stack file was written.");
});
