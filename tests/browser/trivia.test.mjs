// Trivia (spec 3.7) through the page library: from a question to the leaderboard.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRig } from './harness.mjs';

const CHANNEL = '4455002';

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.stop());

/** Calls the library in a page; a refusal comes back as `{refused}`. */
function call(page, method, ...args) {
  return page.evaluate(
    ([method, args]) => window.sdk[method](...args).catch((refused) => ({ refused })),
    [method, args],
  );
}

const text = (id) => ({ id, name: `The ${id}`, short_name: id, description: '' });

test('a contest goes from a question to the leaderboard', async (t) => {
  const open = (role, user) => rig.open(t, { role, channel: CHANNEL, user });
  const admin = await open('admin', '1');
  const viewer = await open('viewer', '778899');
  const captain = await open('broadcaster', CHANNEL);

  await call(admin, 'addExtensionTriviaQuestion', text('question'));
  await call(admin, 'addExtensionTriviaOptionToQuestion', 'question', text('left'));
  await call(admin, 'addExtensionTriviaOptionToQuestion', 'question', text('middle'));
  await call(admin, 'addExtensionTriviaOptionToQuestion', 'question', text('right'));
  const written = await call(admin, 'removeExtensionTriviaOptionFromQuestion', 'question', 'middle');
  const question = {
    ...text('question'),
    state: 'state-inactive',
    options: [text('left'), text('right')],
    results: {},
  };
  assert.deepEqual(written, question);
  assert.deepEqual(await call(viewer, 'getExtensionTriviaQuestions'), { questions: [] });

  const unlocked = await call(admin, 'setExtensionTriviaQuestionState', 'question', 'state-unlocked');
  assert.deepEqual(unlocked, { state: 'state-unlocked' });
  const { refused } = await call(viewer, 'getExtensionTriviaJoinedTeam');
  assert.equal(refused.status, 404);
  assert.deepEqual(await call(viewer, 'setExtensionTriviaQuestionVote', 'question', 'left'), {});
  assert.deepEqual(await call(captain, 'setExtensionTriviaQuestionVote', 'question', 'left'), {});
  assert.deepEqual(await call(viewer, 'joinExtensionTriviaTeam'), { id: CHANNEL });
  assert.deepEqual(await call(viewer, 'getExtensionTriviaJoinedTeam'), { id: CHANNEL });

  await call(admin, 'setExtensionTriviaQuestionState', 'question', 'state-results', 'left');
  assert.deepEqual(await call(viewer, 'getExtensionTriviaQuestion', 'question'), {
    ...question,
    state: 'state-results',
    results: { you: 'left', winner: 'left', votes: { left: 1, right: 0 } },
  });
  const late = await call(viewer, 'setExtensionTriviaQuestionVote', 'question', 'right');
  assert.equal(late.refused.reason, 'question is not open for votes');
  const { leaderboard } = await call(captain, 'getExtensionTriviaLeaderboard');
  assert.deepEqual(leaderboard, [
    {
      team_id: CHANNEL,
      combined_score: 110_000,
      questions: {
        question: {
          question_id: 'question',
          broadcaster_correct: true,
          team_participation: 1,
          team_participants: 1,
          percent_correct: 1,
          team_votes: 1,
          score_values: [100_000, 10_000],
        },
      },
    },
  ]);

  assert.deepEqual(await call(admin, 'removeExtensionTriviaQuestion', 'question'), {});
  assert.deepEqual(await call(captain, 'getExtensionTriviaLeaderboard'), { leaderboard: [] });
});
