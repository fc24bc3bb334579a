import { describe, expect, it } from 'vitest';
import { acceptedAnswers } from './accept.js';

const JSON_TYPE = 'application/json';
const STREAM = 'text/event-stream';
const BOTH = [JSON_TYPE, STREAM];

describe('the accepted media types of Accept', () => {
  it.each<[string | null, readonly string[]]>([
    [null, BOTH],
    ['', BOTH],
    ['*/*', BOTH],
    ['application/json, text/event-stream', BOTH],
    ['Application/JSON,TEXT/event-stream', BOTH],
    ['text/*, application/*', BOTH],
    ['text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8', BOTH],
    ['application/json; charset=utf-8, text/event-stream; q=0.001', BOTH],
    ['*/*;q=0, application/json, text/event-stream;q=0.5', BOTH],
    ['application/json', [JSON_TYPE]],
    ['application/*', [JSON_TYPE]],
    ['text/event-stream', [STREAM]],
    ['application/json, text/event-stream;q=0', [JSON_TYPE]],
    ['*/*, text/event-stream;q=0', [JSON_TYPE]],
    ['*/*, text/*; q = 0.000', [JSON_TYPE]],
    ['text/*;q=0, text/event-stream', [STREAM]],
    ['application/json;q=0;ext=1, text/event-stream', [STREAM]],
    ['text/html', []],
    ['*/*;q=0', []],
    ['json', []],
    ['*', []],
    [',,', []],
  ])('%j', (accept, expected) => {
    expect(acceptedAnswers(accept)).toEqual(expected);
  });
});
