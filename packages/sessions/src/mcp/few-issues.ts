import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';

/** As many as a model can mend at once. */
const MAX_ISSUES = 20;

/**
 * The same schema, which reports no more than 20 issues and the number of the others. The SDK joins all of them into
 * one text: a table whose cells are all of the wrong type would be answered with 20 times its own size.
 */
export function withFewIssues(schema: StandardSchemaWithJSON): StandardSchemaWithJSON {
  const inner = schema['~standard'];
  return {
    '~standard': {
      ...inner,
      validate: async (value, options) => {
        const result = await inner.validate(value, options);
        const { issues = [] } = result;
        if (issues.length <= MAX_ISSUES) return result;
        const message = `and ${issues.length - MAX_ISSUES} more`;
        return { issues: [...issues.slice(0, MAX_ISSUES), { message }] };
      },
    },
  };
}
