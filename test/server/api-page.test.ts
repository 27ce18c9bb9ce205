// The API's page: all that the description says, in HTML that asks nobody for anything.

import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { apiPage } from "../../src/server/api-page.ts";
import { openApi } from "../../src/server/openapi.ts";

const page = (secured: boolean) => parseHTML(apiPage(openApi("1.2.3", secured))).document;

test("has every path, every field with its range and default, and a way back", () => {
  const document = page(false);
  const text = document.body.textContent as string;
  const { paths, components } = openApi("1.2.3", false) as {
    paths: object;
    components: { schemas: Record<string, { properties?: object }> };
  };
  for (const path of Object.keys(paths)) expect(text).toContain(path);
  for (const { properties = {} } of Object.values(components.schemas)) {
    for (const name of Object.keys(properties)) expect(text).toContain(name);
  }
  expect(document.querySelector('nav a[href="/"]')).not.toBeNull();
  expect(text).toMatch(/temperature\s*number from 0 to 2/);
  expect(text).toMatch(/curl "\$SERVER\/v1\/chat\/completions" .*"messages"/);
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    expect(document.getElementById((link.getAttribute("href") as string).slice(1))).not.toBeNull();
  }
});

test("warns of a key only where one is needed", () => {
  expect(page(false).body.textContent).toContain("No key is needed.");
  expect(page(true).body.textContent).toContain("A key is needed: Authorization: Bearer <key>.");
});

test("runs no script and asks no other origin", () => {
  const html = apiPage(openApi("1.2.3", true));
  expect(html).not.toMatch(/<script|https?:\/\//);
});

test("shows what a description says as text", () => {
  const html = apiPage({
    info: { title: "<b>x", version: "1", description: '"&' },
    paths: {},
    components: { schemas: { "a<i>": { properties: { "<s>": { type: "string" } } } } },
  });
  expect(html).not.toMatch(/<b>|<i>|<s>/);
});
