import { expect, test } from "vitest";
import { hasCredentials, withoutCredentials, withoutLogin } from "./credentials.ts";

test.each([
  ["https://example.net/a.img", false],
  ["https://example.net/a.img?version=24.04&arch=amd64&author=me&keyboard=us", false],
  ["https://example.net/a@b.img", false],
  ["https://me:pw@example.net/a.img", true],
  ["https://ghp_token@example.net/a.img", true],
  ["https://example.net/a.img?token=x", true],
  ["https://example.net/a.img?v=1&access_token=x", true],
  ["https://example.net/a.img?X-Amz-Signature=x", true],
  ["https://example.net/a.img?sv=2024&sig=x", true],
  ["https://example.net/a.img?apiKey=x", true],
])("credentials in %s: %s", (url, carries) => {
  expect(hasCredentials(url)).toBe(carries);
});

test.each([
  ["see https://example.net/a.img", "see https://example.net/a.img"],
  ["GET https://me:p@w@example.net/a@b.img?v=1&sig=x failed", "GET https://…@example.net/a@b.img?… failed"],
  ["'https://me@example.net/a' and \"http://b/c?d\"", "'https://…@example.net/a' and \"http://b/c?…\""],
  ["ask ann@example.net", "ask ann@example.net"],
])("without credentials: %s", (text, plain) => {
  expect(withoutCredentials(text)).toBe(plain);
});

test.each([
  ["https://me:pw@example.net/a?v=1", "https://example.net/a?v=1"],
  ["https://me:pw@example.net/a?v=1&token=x&arch=b", "https://example.net/a?v=1&arch=b"],
  ["https://example.net/a?sig=x", "https://example.net/a"],
  ["https://example.net/@a?b?c=d", "https://example.net/@a?b?c=d"],
  ["https://example.net", "https://example.net"],
])("the place of %s, whoever asks", (url, place) => {
  expect(withoutLogin(url)).toBe(place);
});
