// The public test suite of JSON Patch (RFC 6902), through REST (spec 3.2): every case whose document
// is one here, an object.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { startCrowdlink } from './crowdlink.mjs';
import { call } from './game.mjs';
import { EXTENSION } from './harness.mjs';

const require = createRequire(import.meta.url);
const FIRST_CHANNEL = 4_456_000;

/**
 * The suite as it was published; a package that lost cases must not pass for one that holds. The suite
 * itself disables four: two for implementations that refuse a root as target, which run here, and
 * two that need an op with two members `op`, which are lost when the suite is parsed.
 */
const CASES_MIN = 60;
const LOST_BY_PARSING = /two 'op' members/;

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const cases = ['spec_tests', 'tests']
  .flatMap((file) =>
    require(`json-patch-test-suite/${file}.json`).map((record, index) => ({
      ...record,
      name: `${file} ${index}: ${record.comment ?? record.error ?? 'no comment'}`,
    })),
  )
  .filter(({ doc, error }) => isObject(doc) && !LOST_BY_PARSING.test(error));

/** A broadcaster of a channel of its own, so that no case sees another's document or rate. */
async function broadcaster(server, index) {
  const channel = String(FIRST_CHANNEL + index);
  const { status, body } = await call(server, 'POST', 'authtoken', {
    body: { app_id: EXTENSION, channel_id: channel, user_id: channel, role: 'broadcaster' },
  });
  assert.equal(status, 200, JSON.stringify(body));
  const authorization = `${EXTENSION} ${body.token}`;
  return (method, document) =>
    call(server, method, 'channel_state', { authorization, body: document });
}

let server;
before(async () => {
  server = await startCrowdlink();
});
after(() => server?.stop());

test('the suite is all there', () => {
  assert.ok(cases.length >= CASES_MIN, `${cases.length} cases`);
});

for (const [index, { name, doc, patch, expected, error }] of cases.entries()) {
  test(name, async () => {
    const state = await broadcaster(server, index);
    assert.deepEqual(await state('POST', doc), { status: 200, body: {} });
    const patched = await state('PATCH', patch);

    // A list or a plain value may come out elsewhere; a document's root stays an object.
    const refused = error !== undefined || (expected !== undefined && !isObject(expected));
    if (refused) {
      assert.equal(patched.status, 400, JSON.stringify(patched.body));
      assert.match(patched.body.reason, /op \d+/, 'the answer names the op at fault');
    } else {
      assert.equal(patched.status, 200, JSON.stringify(patched.body));
    }
    // A case without either is one whose tests pass and change nothing.
    const kept = refused ? doc : (expected ?? doc);
    assert.deepEqual(await state('GET'), { status: 200, body: kept });
  });
}
