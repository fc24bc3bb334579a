import { expect, it } from 'vitest';
import { z } from 'zod';
import { withFewIssues } from '../request/tool-schema.js';

const schema = withFewIssues(z.object({ rows: z.array(z.string()) }))['~standard'];

it('a schema reports 20 issues and how many more there are [security 40]', async () => {
  const { issues = [] } = await schema.validate({ rows: Array.from({ length: 5000 }, () => 0) });
  expect(issues).toHaveLength(21);
  expect(issues[0]).toMatchObject({ path: ['rows', 0] });
  expect(issues[20]).toEqual({ message: 'and 4980 more' });
});

it('a schema reports a few issues as they are, and values', async () => {
  expect((await schema.validate({ rows: [0] })).issues).toHaveLength(1);
  expect(await schema.validate({ rows: ['a'] })).toEqual({ value: { rows: ['a'] } });
});
