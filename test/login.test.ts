import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const transcripts = new URL('e2e/transcripts/', import.meta.url);
const kept = readdirSync(transcripts).map((name) => readFileSync(new URL(name, transcripts), 'utf8'));
const page = readFileSync(new URL('../docs/login.md', import.meta.url), 'utf8');

/** The responses to clients and models that the document shows, by section. */
const sections = page
  .slice(page.indexOf('## What the client and the model see'))
  .split(/^### /m)
  .map((section) => ({
    title: section.slice(0, section.indexOf('\n')),
    excerpts: [...section.matchAll(/^```(?:json|text)\n([\s\S]*?)\n```$/gm)].map(
      ([, excerpt = '']) => excerpt,
    ),
  }));

describe('docs/login.md', () => {
  it.each([
    'The client opens the link',
    'The model shows the link',
    'A call that waits for a login',
    'The device flow',
  ])('shows what is seen in "%s"', (title) => {
    expect(sections.find((section) => section.title === title)?.excerpts.length).toBeGreaterThan(0);
  });

  it.each(sections.flatMap(({ title, excerpts }) => excerpts.map((excerpt) => [title, excerpt])))(
    'shows in "%s" what a transcript has: %s',
    (_title, excerpt = '') => {
      expect(kept.filter((transcript) => transcript.includes(excerpt))).not.toEqual([]);
    },
  );
});
